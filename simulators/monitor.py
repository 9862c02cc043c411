"""A bedside monitor: an arterial line at 1 Hz, a cuff every few minutes, and what goes wrong with them.

It turns the true pressure into what a monitor would send: rounded, damped, flushed, late or silent.
No clock and no I/O; its only chance is the generator that it was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from simulators.messages import Stamp, encode
from streamproc.wire.models import MapMessage, Metric, Quality

KPA_PER_MMHG = 0.133322
FLUSH_MMHG = 297.0
"""The flush bag's pressure, which the transducer sees while the valve is open."""

CUFF_ERROR_SD_MMHG = 3.0
DAMPED_SHARE = 0.05
"""How much of each second's change a damped line still passes on."""


@dataclass(slots=True)
class Trouble:
    """For so many seconds more the line does not show the patient's pressure."""

    seconds_left: int = 0
    shown_mmhg: float | None = None
    quality: Quality = Quality.GOOD

    def tick(self) -> bool:
        """Whether this second is still troubled."""
        troubled = self.seconds_left > 0
        self.seconds_left = max(0, self.seconds_left - 1)
        return troubled


@dataclass(slots=True)
class Monitor:
    """One monitor and its two ways to measure; both are off until connected."""

    device: str
    boot: str
    random: Random
    unit: Literal["mm[Hg]", "kPa"] = "mm[Hg]"
    arterial: bool = True
    cuff_every_s: int | None = None
    powered: bool = True
    _trouble: Trouble = field(default_factory=Trouble)
    _seq: int = 0
    _cuff_in_s: int = 0
    _shown_mmhg: float | None = None
    _damped: bool = False

    def flush(self, seconds: int, marked: bool = True) -> None:
        """Open the flush valve: absurd figures, which the monitor may or may not mark as an artefact."""
        self._trouble = Trouble(seconds, FLUSH_MMHG, Quality.ARTEFACT if marked else Quality.GOOD)

    def zero(self, seconds: int) -> None:
        """Open the transducer to air to calibrate it."""
        self._trouble = Trouble(seconds, 0.0, Quality.CALIBRATING)

    def doubt(self, seconds: int) -> None:
        """Send on, but say that the figures are questionable."""
        self._trouble = Trouble(seconds, None, Quality.QUESTIONABLE)

    def damp(self, damped: bool = True) -> None:
        """A clot or a bubble: the trace goes flat, and lags behind the patient."""
        self._damped = damped

    def start_cuff(self, every_s: int) -> None:
        """Measure by cuff now, and then every so often."""
        self.cuff_every_s, self._cuff_in_s = every_s, 0

    def lose_power(self) -> None:
        """Silence: nothing is sent and nothing is counted."""
        self.powered = False

    def restart(self, boot: str) -> None:
        """Back after a loss: a new boot, counting from one again."""
        self.powered, self.boot, self._seq = True, boot, 0

    def read(self, time_ms: int, true_mmhg: float) -> list[bytes]:
        """What is sent in this second, given the patient's true pressure."""
        if not self.powered:
            return []
        sent = [self._arterial(time_ms, true_mmhg)] if self.arterial else []
        if self.cuff_every_s is not None:
            sent += self._cuff(time_ms, true_mmhg, self.cuff_every_s)
        return sent

    def _arterial(self, time_ms: int, true_mmhg: float) -> bytes:
        before = true_mmhg if self._shown_mmhg is None else self._shown_mmhg
        share = DAMPED_SHARE if self._damped else 1.0
        self._shown_mmhg = before + (true_mmhg - before) * share
        trouble = self._trouble
        if not trouble.tick():
            return self._sample(time_ms, Metric.ARTERIAL_ABP, self._shown_mmhg, Quality.GOOD)
        shown = self._shown_mmhg if trouble.shown_mmhg is None else trouble.shown_mmhg
        return self._sample(time_ms, Metric.ARTERIAL_ABP, shown, trouble.quality)

    def _cuff(self, time_ms: int, true_mmhg: float, every_s: int) -> list[bytes]:
        self._cuff_in_s -= 1
        if self._cuff_in_s >= 0:
            return []
        self._cuff_in_s = every_s - 1
        measured = max(0.0, true_mmhg + self.random.gauss(0, CUFF_ERROR_SD_MMHG))
        return [self._sample(time_ms, Metric.NONINVASIVE, measured, Quality.GOOD)]

    def _sample(self, time_ms: int, metric: Metric, mmhg: float, quality: Quality) -> bytes:
        self._seq += 1
        stamp = Stamp(self.device, self.boot, self._seq, time_ms)
        value = round(mmhg * KPA_PER_MMHG, 1) if self.unit == "kPa" else round(mmhg)
        return encode(
            MapMessage(**stamp.fields(), metric=metric, value=value, unit=self.unit, quality=quality)
        )
