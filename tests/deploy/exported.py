"""What the processor exports: each metric's kind and labels, as dashboards and rules may rely on them."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "streamproc_"
SCRAPED = frozenset({"job", "instance"})
"""Labels that Prometheus itself adds to each series."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One family: `counter`, `gauge` or `histogram`, and the labels that its series carry."""

    name: str
    kind: str
    labels: tuple[str, ...] = ()

    @property
    def series(self) -> dict[str, frozenset[str]]:
        """The names that a query can use, each with its labels."""
        labels = frozenset(self.labels) | SCRAPED
        full = PREFIX + self.name
        if self.kind == "histogram":
            return {full + "_bucket": labels | {"le"}, full + "_sum": labels, full + "_count": labels}
        return {full: labels}


FAMILIES = (
    Metric("messages_received_total", "counter", ("kind",)),
    Metric("messages_accepted_total", "counter"),
    Metric("messages_rejected_total", "counter", ("reason",)),
    Metric("messages_duplicate_total", "counter"),
    Metric("messages_late_total", "counter"),
    Metric("map_mmhg", "gauge", ("unit", "bed", "source")),
    Metric("map_target_mmhg", "gauge", ("unit", "bed")),
    Metric("norepinephrine_dose_mcg_per_kg_min", "gauge", ("unit", "bed")),
    Metric("alerts_total", "counter", ("rule", "priority", "phase")),
    Metric("alerts_active", "gauge", ("unit", "priority")),
    Metric("event_lag_seconds", "histogram"),
    Metric("alert_latency_seconds", "histogram"),
    Metric("commit_seconds", "histogram"),
    Metric("telemetry_gap_messages_total", "counter"),
    Metric("bed_seconds_below_target_total", "counter", ("unit", "bed")),
    Metric("wean_ready", "gauge", ("unit", "bed")),
    Metric("ready", "gauge"),
    Metric("heartbeat_timestamp_seconds", "gauge"),
    Metric("build_info", "gauge", ("version",)),
)

SERIES = {"up": SCRAPED} | {name: labels for family in FAMILIES for name, labels in family.series.items()}
"""Every series that a query can name, with the labels that it has."""
