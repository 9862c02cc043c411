"""A rival: Node-RED with the same two rules in function nodes, each with a running sum; nothing is validated.

It is not part of the project: `npm install node-red` somewhere, and NODE_RED names its `red.js`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.rivals.feed import FEED, MAP_TOPIC, PUMP_TOPIC
from bench.stage.processes import HOST, eventually, free_port, running
from bench.stage.telemetry import Ward, bed_name, history_of_map

HERE = Path(__file__).parent
INSTALLED = os.environ.get("NODE_RED")
BROKER, MQTT_5 = "broker", "5"


@contextmanager
def node_red(folder: Path, port: int, ward: Ward, until_ms: int, hold_ms: int) -> Iterator[int]:
    """The running flow, subscribed."""
    node = shutil.which("node")
    assert node is not None, "there is no node"
    assert INSTALLED is not None, "NODE_RED names no red.js"
    beds = {
        bed_name(number): [[until_ms + before_ms, mmhg] for before_ms, mmhg in history_of_map(ward, number)]
        for number in range(1, ward.beds + 1)
    }
    past = {"beds": beds, "holdMs": hold_ms, "uiPort": free_port()}
    (folder / "past.json").write_text(json.dumps(past))
    (folder / "flows.json").write_text(json.dumps(flow(port)))
    shutil.copy(HERE / "settings.js", folder / "settings.js")
    log = folder / "rival.log"
    command = [node, INSTALLED, "--settings", str(folder / "settings.js"), "--userDir", str(folder)]
    with running(command, folder, log) as pid:
        eventually(lambda: "Connected to broker" in log.read_text() or None, log)
        yield pid


def flow(port: int) -> list[dict[str, Any]]:
    """Two topics in, a function each, the feed out."""
    tab = {"z": "ward"}
    broker = {
        "id": BROKER,
        "type": "mqtt-broker",
        "broker": HOST,
        "port": str(port),
        "protocolVersion": MQTT_5,
    }
    nodes: list[dict[str, Any]] = [
        {"id": "ward", "type": "tab", "label": "ward"},
        broker | {"clientid": "", "keepalive": "60", "cleansession": True, "usetls": False},
        {"id": "feed", "type": "mqtt out", "topic": FEED, "qos": "1", "broker": BROKER, "wires": []} | tab,
    ]
    for name, topic in (("map", MAP_TOPIC), ("pump", PUMP_TOPIC)):
        heard = {
            "topic": topic,
            "qos": "1",
            "datatype": "json",
            "broker": BROKER,
            "wires": [[f"{name}-judged"]],
        }
        judged = {"func": (HERE / f"{name}.js").read_text(), "outputs": 1, "wires": [["feed"]]}
        nodes.append({"id": f"{name}-in", "type": "mqtt in"} | heard | tab)
        nodes.append({"id": f"{name}-judged", "type": "function"} | judged | tab)
    return nodes
