"""Seeds, run and judged: half of them gentle, half harsh; whatever fails says how to see it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from .devices import Ways
from .faults import Fault, plan, reloads
from .oracle import check, check_as_journaled, check_as_sent
from .simulation import SAMPLE_S, SHARES, Simulation, other_settings, sparse_settings, state_folder
from .world import World

BEDS, HOURS = 16, 3.0
BED_DAYS = BEDS * HOURS / 24
ALL_RULES_EVERY = 20
COMMAND = "./run bench simulation --from {seed} --seeds 1"


@dataclass(frozen=True, slots=True)
class Survived:
    """What one seed has shown."""

    seed: int
    trace: str
    events: int
    ends: Counter[str]
    faults: Counter[str]
    rules: Counter[str]
    acknowledged: int
    reloads: Counter[str]


class BrokenPromise(AssertionError):
    """A seed under which a promise does not hold."""


def live_through(seed: int) -> Survived:
    """Run one seed and judge it; even seeds are gentle."""
    try:
        return _live_through(seed)
    except Exception as error:
        again = COMMAND.format(seed=seed)
        raise BrokenPromise(f"seed {seed}: {type(error).__name__}: {error}\nsee it again: {again}") from error


def faults_of(seed: int) -> list[Fault]:
    """What goes wrong under this seed."""
    world, gentle = World(str(seed)), seed % 2 == 0
    faults = plan(world.chance("faults"), HOURS, gentle=gentle)
    return faults + reloads(world.chance("reloads"), HOURS, gentle=gentle)


def _live_through(seed: int) -> Survived:
    gentle = seed % 2 == 0
    faults = faults_of(seed)
    with state_folder() as folder:
        ways = Ways(BEDS, HOURS, SAMPLE_S, honest=gentle)
        share = None if seed % ALL_RULES_EVERY == 0 else seed % SHARES
        settings, other = sparse_settings(BEDS, share), other_settings(BEDS, share)
        simulation = Simulation(str(seed), ways, faults, settings, folder, other=other)
        simulation.run()
        rules = check(simulation, check_as_sent if gentle else check_as_journaled)
    kinds = Counter(fault.kind for fault in faults)
    acknowledged = sum(b'"state":"acknowledged"' in payload for payload in simulation.heard_s)
    return Survived(
        seed,
        simulation.world.trace,
        rules.total(),
        simulation.ends,
        kinds,
        rules,
        acknowledged,
        simulation.reloads,
    )


def live_through_all(seeds: Iterable[int]) -> list[Survived]:
    """One after the other, in this process."""
    return [live_through(seed) for seed in seeds]
