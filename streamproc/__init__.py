"""Bedside event-stream processor: MAP and norepinephrine telemetry in, clinical alerts and metrics out.

Research, simulation and secondary notification only. Not a medical device.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("streamproc")
except PackageNotFoundError:  # run from a folder that was never installed
    __version__ = "0+unknown"
