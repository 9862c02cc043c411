"""The short history, interrupted at one step of input or output: nobody may tell it from the feed."""

from __future__ import annotations

from dataclasses import dataclass

from .faults import Fault
from .oracle import check, check_as_journaled, check_as_sent
from .short_history import short_run
from .simulation import state_folder

DOWN_S, TWICE_DOWN_S = 3.0, 1.0
"""For how long it stays down: two crashes in a row, and what waits between them, fit into the hold-back."""
UNWATCHED_S, EACH = 20.0, 3
"""So long a time down is told to the bed, and what was announced before stands; at each third step."""
FIRST_FLIP = 100
"""By then there are commits to damage."""
AGAIN_WITHIN = 25
"""A second crash comes within so many steps of the restart: opening, recovering, connecting."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """A crash or a fault of the disk at this step; with `again`, a second crash so many steps after it."""

    kind: str
    how: str
    step: int
    again: int = 0
    down_s: float = DOWN_S

    def faults(self) -> tuple[Fault, ...]:
        """As the simulation wants them."""
        down_s = TWICE_DOWN_S if self.again and self.kind == "crash" else self.down_s
        first = Fault(0, self.kind, down_s, self.step, self.how)
        fate = self.how if self.kind == "crash" else "dropped"
        return (first, Fault(0, "crash", down_s, self.again, fate)) if self.again else (first,)


def undisturbed() -> list[str]:
    """The kind of each step that the history has without any interruption."""
    with state_folder() as folder:
        simulation = short_run(folder)
        check(simulation, check_as_sent)
    assert any(b'"acknowledged_by":"rn"' in payload for payload in simulation.feed), "nobody acknowledged"
    (steps,) = simulation.steps
    return steps


def crashes(how: str, *, twice: bool = False) -> list[Interruption]:
    """One at each step; where there is a second one, it comes at every step of a restart in turn."""
    return [
        Interruption("crash", how, step, (step % AGAIN_WITHIN + 1) if twice else 0)
        for step in range(1, len(undisturbed()) + 1)
    ]


def absences() -> list[Interruption]:
    """A crash of which the bed is told afterwards."""
    steps = range(1, len(undisturbed()) + 1, EACH)
    return [Interruption("crash", "kept", step, down_s=UNWATCHED_S) for step in steps]


def disk_faults(how: str, *, again: int = 0) -> list[Interruption]:
    """One at each step at which this fault can be; with a power cut some steps after the restart."""
    kind = "sync" if how == "sync" else "write"
    return [
        Interruption("disk_fault", how, step, again)
        for step, each in enumerate(undisturbed(), 1)
        if each == kind
    ]


def flips(many: int) -> list[Interruption]:
    """A crash, each time after other steps, and one bit of the disk turns."""
    steps = len(undisturbed())
    return [
        Interruption("flip", f"{number}", FIRST_FLIP + number * 7 % (steps // 2)) for number in range(many)
    ]


def breach(interruption: Interruption) -> str | None:
    """What is not as promised after this interruption."""
    as_sent = interruption.kind in ("crash", "flip") and interruption.down_s < UNWATCHED_S
    judge = check_as_sent if as_sent else check_as_journaled
    try:
        with state_folder() as folder:
            simulation = short_run(folder, *interruption.faults())
            if not simulation.refused:
                check(simulation, judge)
            interrupted = len(simulation.steps) > 1 or interruption.kind == "disk_fault"
    except Exception as error:
        return f"{interruption}: {type(error).__name__}: {error}"
    return None if interrupted else f"{interruption}: nothing was interrupted"
