"""Prometheus, started with the very files that the compose file mounts, evaluates all that is provisioned."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from streamproc.shell.broker import free_port
from tests.conftest import require_program

from .provisioned import filled_in, panel_queries, rule_expressions
from .simulated_ward import History
from .system import ROOT, eventually, output, server

PROMETHEUS = ROOT / "config" / "prometheus"
MOUNTED = ("prometheus.yml", "streamproc.rules.yml")
PANELS = {where: (expression, legend) for where, expression, legend in panel_queries()}


@contextlib.contextmanager
def served(exposition: bytes) -> Iterator[int]:
    """Serve this at `/metrics`, on a free port of 127.0.0.1."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(exposition)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are no news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http.server_port
        http.shutdown()


class Prometheus:
    """The HTTP API of a running Prometheus."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        """Whether it serves queries."""
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            return urllib.request.urlopen(self.url + "/-/ready", timeout=5).status == 200
        return False

    def get(self, path: str, **query: str) -> Any:
        """The `data` of an API answer; an error of Prometheus's fails the test with its own words."""
        try:
            with urllib.request.urlopen(
                f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=10
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            pytest.fail(f"{path} {query}: {refused.read().decode()}")


@pytest.fixture(scope="module")
def promtool() -> str:
    return require_program("promtool", "prometheus")


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, promtool: str, history: History
) -> Iterator[Prometheus]:
    """A quarter of an hour of history, and a processor to scrape.

    The mounted files stand in the test's folder as links, as the compose file's mounts stand in the
    container's: the same bytes, beside another `targets/`.
    """
    binary = require_program("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "history.txt").write_text("".join(line + "\n" for line in history.openmetrics()))
    output([promtool, "tsdb", "create-blocks-from", "openmetrics", folder / "history.txt", folder / "tsdb"])
    for name in MOUNTED:
        (folder / name).symlink_to(PROMETHEUS / name)
    port = free_port()
    command = [binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    with served(history.last) as target:
        (folder / "targets").mkdir()
        (folder / "targets" / "processor.yml").write_text(f'- targets: ["127.0.0.1:{target}"]\n')
        running = Prometheus(port)
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with server(command, folder / "prometheus.log", folder, running.ready):
            yield running


def test_the_compose_file_mounts_these_files() -> None:
    """What is tested here is what is deployed."""
    compose = (ROOT / "docker-compose.yml").read_text()
    for name in MOUNTED:
        assert f"./config/prometheus/{name}:/etc/prometheus/{name}:ro" in compose
    assert "./config/prometheus/targets:/etc/prometheus/targets:ro" in compose


@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "streamproc.rules.yml"),
        ("test", "rules", "streamproc.rules.test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_passes(promtool: str, command: tuple[str, ...]) -> None:
    """Each alert fires when it must and not before, to the second."""
    assert "SUCCESS" in output([promtool, *command], cwd=PROMETHEUS)


def test_every_alert_is_tested() -> None:
    """An alert that nobody has seen firing is a hope."""
    tests = (PROMETHEUS / "streamproc.rules.test.yml").read_text()
    untested = [name for name, _ in rule_expressions() if not re.search(rf"\b{name}\b", tests)]
    assert untested == []


def test_the_processor_is_scraped(prometheus: Prometheus) -> None:
    """The scrape job finds its target by the file beside it, and the label is `streamproc`."""

    def scraped() -> bool:
        targets = prometheus.get("/api/v1/targets")["activeTargets"]
        return [(target["labels"]["job"], target["health"]) for target in targets] == [("streamproc", "up")]

    eventually(scraped, "the target is up")


def test_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    """Prometheus has loaded each alert and can evaluate it on what the processor exports."""

    def evaluated() -> bool:
        groups = prometheus.get("/api/v1/rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["name"] for rule in rules} == {name for name, _ in rule_expressions()}
        return {rule["health"] for rule in rules} == {"ok"}

    eventually(evaluated, "all rules are healthy")


@pytest.mark.parametrize("where", PANELS)
def test_every_panel_shows_something(prometheus: Prometheus, history: History, where: str) -> None:
    """Each query parses, finds figures in a simulated ward's history, and its legend's labels are there."""
    expression, legend = PANELS[where]
    found = prometheus.get("/api/v1/query", query=filled_in(expression), time=str(history.end_s))
    assert found["result"], "nothing to show"
    for series in found["result"]:
        assert set(re.findall(r"{{(\w+)}}", legend)) <= set(series["metric"])
        assert series["value"][1] != "NaN"
