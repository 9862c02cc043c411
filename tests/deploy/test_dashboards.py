"""Dashboards and rules name nothing that the processor does not export."""

from __future__ import annotations

import json
import re

import pytest

from streamproc.config import load

from .promql import names
from .provisioned import DASHBOARDS, panel_queries, rule_expressions
from .simulated_ward import History
from .system import ROOT

SETTINGS = load(ROOT / "config", ())
QUERIES = {where: expression for where, expression, _ in panel_queries()} | dict(rule_expressions())
WHAT_A_WARD_NEEDS = """
    map_mmhg norepinephrine_dose_mcg_per_kg_min bed_seconds_below_target_total wean_ready
    alerts_active alerts_total event_lag_seconds_bucket alert_latency_seconds_bucket commit_seconds_bucket
    messages_received_total messages_rejected_total messages_duplicate_total messages_late_total
    telemetry_gap_messages_total ready last_step_timestamp_seconds build_info
"""


@pytest.mark.parametrize("where", QUERIES)
def test_a_query_names_only_what_is_exported(history: History, where: str) -> None:
    """A metric or label that is not exported draws an empty panel, or an alert that never fires."""
    named, exported = names(QUERIES[where]), history.series()
    assert named.selected, "names no metric at all"
    for metric, labels in named.selected.items():
        assert metric in exported, f"{metric} is not exported"
        assert labels <= exported[metric], f"{metric} has no label {sorted(labels - exported[metric])}"
    somewhere = frozenset[str]().union(*(exported[metric] for metric in named.selected))
    assert named.grouped <= somewhere, f"no metric here has {sorted(named.grouped - somewhere)}"


def test_the_ward_dashboard_shows_what_a_ward_needs() -> None:
    shown = {metric for expression in QUERIES.values() for metric in names(expression).selected}
    assert {"streamproc_" + name for name in WHAT_A_WARD_NEEDS.split()} <= shown


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("MAP against its target", SETTINGS.terms.map_target_mmhg),
        ("Norepinephrine dose", SETTINGS.rules.esc_threshold.threshold_mcg_per_kg_min),
    ],
)
def test_a_line_is_drawn_where_the_rules_decide(title: str, line: float) -> None:
    """The numbers in force, not another copy of them."""
    panels = json.loads((DASHBOARDS / "ward.json").read_text())["panels"]
    shown = next(panel for panel in panels if panel["title"] == title)
    steps = shown["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, line]


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    """Grafana moves overlapping panels about, and the layout that a reader learnt is gone."""
    for path in DASHBOARDS.glob("*.json"):
        panels = json.loads(path.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = [cell for panel in panels for cell in cells_of(panel["gridPos"])]
        assert len(set(cells)) == len(cells), f"{path.name} has overlapping panels"


def cells_of(place: dict[str, int]) -> list[tuple[int, int]]:
    """The grid cells that a panel covers."""
    rows = range(place["y"], place["y"] + place["h"])
    return [(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in rows]


def test_dashboards_use_the_provisioned_source() -> None:
    """A panel that names another source shows an error instead of a ward."""
    provisioned = DASHBOARDS.parent / "provisioning" / "datasources" / "prometheus.yml"
    uid = re.findall(r"uid: (\S+)", provisioned.read_text())
    for path in DASHBOARDS.glob("*.json"):
        used = set(re.findall(r'"type": "prometheus",\s*"uid": "(\w+)"', path.read_text()))
        assert used == set(uid), path.name


@pytest.mark.parametrize(
    ("expression", "selected", "grouped"),
    [
        ('up{job="a b{c}"} == 0', {"up": {"job"}}, set()),
        ("sum by (le, unit) (rate(x_bucket[5m]))", {"x_bucket": set()}, {"le", "unit"}),
        ('a{b="1", c!~"d"} / on (b) group_left() e and f', {"a": {"b", "c"}, "e": set(), "f": set()}, {"b"}),
        ("time() - 1e5 * h > bool 5", {"h": set()}, set()),
    ],
)
def test_the_names_of_an_expression_are_found(
    expression: str, selected: dict[str, set[str]], grouped: set[str]
) -> None:
    found = names(expression)
    assert (found.selected, found.grouped) == (selected, grouped)
