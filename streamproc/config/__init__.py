"""Configuration: read once at start, checked whole, refused with file, line, key and what would be right."""

from streamproc.config.load import ConfigError, Problem, load
from streamproc.config.settings import Settings

__all__ = ["ConfigError", "Problem", "Settings", "load"]
