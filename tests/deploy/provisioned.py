"""What is deployed, read as those who deploy it will: the compose file, each query and where it stands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from .system import ROOT

DASHBOARDS = ROOT / "config" / "grafana" / "dashboards"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RULES = ROOT / "config" / "prometheus" / "streamproc.rules.yml"
VARIABLES = {"$__rate_interval": "1m", "$__interval": "15s", "$unit": ".*", "$bed": ".*"}


def options(service: str, flag: str) -> list[str]:
    """The values given with a flag in a service's command."""
    words = SERVICES[service]["command"]
    return [value for word, value in itertools.pairwise(words) if word == flag]


def panel_queries() -> Iterator[tuple[str, str, str]]:
    """Every panel query: where it stands, the expression, and its legend's template."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for query in panel["targets"]:
                yield f"{path.name}: {panel['title']} {query['refId']}", query["expr"], query["legendFormat"]


def rule_expressions() -> Iterator[tuple[str, str]]:
    """Every alert of Prometheus's own: its name and its expression."""
    for group in YAML(typ="safe").load(RULES)["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])


def filled_in(expression: str) -> str:
    """An expression as Grafana sends it, every variable at its value."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression
