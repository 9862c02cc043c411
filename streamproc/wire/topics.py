"""The topics of the contract: which to listen on, which to write to, and what one names.

Names are ASCII letters, digits, `_` and `-`, at most 32: nothing that a broker, a file name, a
label or an eye could take for something else ever becomes a unit, a bed or a channel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAME = "[A-Za-z0-9_-]{1,32}"
LEVEL = re.compile(r"[^\x00-\x1f\x7f+#/$][^\x00-\x1f\x7f+#/]*")
ROOT_LENGTH_MAX = 128
REMEMBERED_MAX = 50_000
"""Topics whose reading is remembered: those of some ten thousand beds."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a topic names: the kind of message, its bed (no bed: empty), its pump channel or station."""

    kind: str
    bed: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Topics:
    """The contract's topics under a site's two roots."""

    telemetry_root: str = "bedside/v1"
    alerts_root: str = "alerts/v1"
    _telemetry: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _ack: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _remembered: dict[str, Address] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for root in (self.telemetry_root, self.alerts_root):
            _check_root(root)
        _check_apart(self.telemetry_root, self.alerts_root)
        below = rf"({NAME}/{NAME})/(?:(map|patient|observation)|pump/({NAME}))"
        object.__setattr__(self, "_telemetry", re.compile(re.escape(self.telemetry_root) + "/" + below))
        object.__setattr__(self, "_ack", re.compile(rf"{re.escape(self.alerts_root)}/ack/({NAME})"))

    def read(self, topic: str) -> Address | None:
        """What an incoming topic names; None where it is not one of the contract's."""
        address = self._remembered.get(topic)
        if address is None and (address := self._parted(topic)) is not None:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[topic] = address
        return address

    def _parted(self, topic: str) -> Address | None:
        if found := self._telemetry.fullmatch(topic):
            bed, kind, channel = found.groups()
            return Address(kind, bed) if kind else Address("pump", bed, channel)
        if found := self._ack.fullmatch(topic):
            return Address("ack", "", found[1])
        return None

    def subscriptions(self) -> list[str]:
        """The filters that together hear every message meant for the processor."""
        leaves = ("map", "pump/+", "patient", "observation")
        return [f"{self.telemetry_root}/+/+/{leaf}" for leaf in leaves] + [f"{self.alerts_root}/ack/+"]

    def map(self, bed: str) -> str:
        """Where the MAP samples of `unit/bed` are published."""
        return f"{self.telemetry_root}/{bed}/map"

    def pump(self, bed: str, channel: str) -> str:
        """Where the status of one pump channel is published."""
        return f"{self.telemetry_root}/{bed}/pump/{channel}"

    def patient(self, bed: str) -> str:
        """Where the patient context of a bed is retained."""
        return f"{self.telemetry_root}/{bed}/patient"

    def observation(self, bed: str) -> str:
        """Where the other observations of a bed are published."""
        return f"{self.telemetry_root}/{bed}/observation"

    def ack(self, station: str) -> str:
        """Where a central station acknowledges."""
        return f"{self.alerts_root}/ack/{station}"

    def alert(self, bed: str, rule_id: str) -> str:
        """Where the newest state of a bed's alert of one rule is retained."""
        return f"{self.alerts_root}/{bed}/{rule_id}"

    def bed(self, bed: str) -> str:
        """Where the state of a bed is retained."""
        return f"{self.alerts_root}/bed/{bed}"

    def dead_letter(self, reason: str) -> str:
        """Where messages refused for this reason are shown."""
        return f"{self.alerts_root}/deadletter/{reason}"

    @property
    def feed(self) -> str:
        """Where every alert event goes, in order."""
        return f"{self.alerts_root}/feed"

    @property
    def status(self) -> str:
        """Where the heartbeat is retained, and the Will left."""
        return f"{self.alerts_root}/status"


def _check_root(root: str) -> None:
    """A root is our own configuration, so a bad one stops the start instead of being refused."""
    levels_fit = all(LEVEL.fullmatch(level) for level in root.split("/"))
    if not levels_fit or len(root) > ROOT_LENGTH_MAX:
        raise ValueError(
            f"topic root {root!a} cannot be used; right would be levels such as 'bedside/v1': "
            "none empty, none that begins with $, none with + # or control characters, at most "
            f"{ROOT_LENGTH_MAX} characters in all"
        )


def _check_apart(telemetry_root: str, alerts_root: str) -> None:
    """Roots inside each other would let the processor take its own alerts for telemetry."""
    one, other = telemetry_root + "/", alerts_root + "/"
    if one.startswith(other) or other.startswith(one):
        raise ValueError(
            f"topic roots {telemetry_root!a} and {alerts_root!a} overlap; "
            "right would be two roots of which neither begins with the other"
        )
