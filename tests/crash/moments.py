"""When to kill: moments that the network or the disk shows, each drawn and varied by the seed.

Nothing in the processor knows of it: the network withholds what a crash a little earlier would not
have sent, and the kernel tells of the first write of a commit.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.service.processor import Processor

from .frames import PUBACK, PUBLISH, Frame
from .life import Life, is_alert
from .proxy import Passage, Way
from .write_watch import WriteWatch


class Moment(StrEnum):
    """What is under way when the process is killed."""

    INPUT = "input was handed over"
    COMMIT = "the journal is being written"
    BEFORE_ACK = "input is committed, its acknowledgement does not leave"
    BEFORE_PUBLISH = "an alert is decided, and does not leave"
    BEFORE_ANSWER = "the broker has an alert, its answer does not arrive"
    SNAPSHOT = "a snapshot is being written"
    RECOVERY = "the journal is being read back"
    ANY = "any moment after the start"


WITHHOLDING = {Moment.BEFORE_ACK, Moment.BEFORE_PUBLISH, Moment.BEFORE_ANSWER}
MESSAGES_MAX, ALERTS_MAX, WRITES_MAX = 60, 8, 3
SOON_S, RECOVERY_S, LIFE_S = 0.02, 0.02, 2.0


@dataclass(slots=True)
class Killer:
    """Kills one run of the processor at its moment; sees every packet of it first."""

    moment: Moment
    rng: random.Random
    processor: Processor
    life: Life = field(default_factory=Life)
    countdown: int = 0
    struck: bool = False
    _process: int = -1
    _watch: WriteWatch | None = None

    def begin(self) -> None:
        """The process has just been started."""
        self._process = os.pidfd_open(self.processor.pid)
        alerts = self.moment in (Moment.BEFORE_PUBLISH, Moment.BEFORE_ANSWER)
        self.countdown = self.rng.randint(1, ALERTS_MAX if alerts else MESSAGES_MAX)
        if self.moment in (Moment.COMMIT, Moment.SNAPSHOT):
            self._watch = WriteWatch(
                self.processor.state / "journal.db-wal", self.strike, self.rng.randint(1, WRITES_MAX)
            )
        if self.moment is Moment.ANY:
            self._later(self.rng.uniform(0, LIFE_S))

    def recovering(self) -> None:
        """It has said that it has started, which is just before it reads the journal."""
        if self.moment is Moment.RECOVERY:
            self._later(self.rng.uniform(0, RECOVERY_S))

    def look(self, way: Way, frame: Frame) -> Passage:
        """Note a packet, strike where it is the moment, and withhold what a crash would not have sent."""
        if self.struck:
            return Passage.WITHHELD
        strikes = self._is_the_moment(way, frame)
        withheld = strikes and self.moment in WITHHOLDING
        self.life.see(way, frame, withheld=withheld)
        if strikes:
            self._act()
        return Passage.WITHHELD if withheld else Passage.ON

    def _is_the_moment(self, way: Way, frame: Frame) -> bool:
        shows: dict[Moment, Callable[[], bool]] = {
            Moment.INPUT: lambda: way is Way.TO_PROCESSOR and frame.kind == PUBLISH,
            Moment.COMMIT: lambda: way is Way.TO_PROCESSOR and frame.kind == PUBLISH,
            Moment.BEFORE_ACK: lambda: way is Way.TO_BROKER and frame.kind == PUBACK,
            Moment.SNAPSHOT: lambda: way is Way.TO_BROKER and frame.kind == PUBACK,
            Moment.BEFORE_PUBLISH: lambda: way is Way.TO_BROKER and is_alert(frame),
            Moment.BEFORE_ANSWER: lambda: way is Way.TO_PROCESSOR and self.life.answers_an_alert(frame),
        }
        if self.moment not in shows or not shows[self.moment]():
            return False
        if self.moment is Moment.SNAPSHOT:  # each run writes its first right after its first batch
            return True
        self.countdown -= 1
        return self.countdown == 0

    def _act(self) -> None:
        if self._watch is not None:
            self._watch.arm()
        elif self.moment is Moment.INPUT:
            self._later(self.rng.uniform(0, SOON_S))
        else:
            self.strike()

    def _later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.strike)

    def strike(self) -> None:
        """kill -9; once is enough, and the next run is never meant."""
        if not self.struck and self._process >= 0:
            self.struck = True
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def close(self) -> None:
        """The process has ended."""
        self.struck = True
        if self._watch is not None:
            self._watch.close()
        os.close(self._process)
        self._process = -1
