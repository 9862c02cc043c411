"""mosquitto, started with the very files that the compose file mounts, keeps what it acknowledged.

mosquitto.conf reads its listener from `config/listener.d` below the working directory. A test's broker works
in a folder with a listener of its own there, so the mounted policy runs unchanged on a free port. The
listener that compose mounts would bind every address at a fixed port: it is tried in a network of its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamproc.shell.broker import free_port
from tests.conftest import require_program

from .provisioned import SERVICES
from .system import ROOT, accepts, output, server

MOUNTED = ROOT / "config" / "mosquitto"
COMPOSE = SERVICES["mosquitto"]
DEFAULT_QUEUE = 1000
"""What mosquitto keeps for an absent client unless it is told otherwise."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """The container's /mosquitto: the mounted policy as a link, and a data folder.

    Not below pytest's own folders: started as root, mosquitto becomes a user that may not read those.
    """
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        made.chmod(0o755)
        (made / "config").mkdir()
        (made / "config" / "mosquitto.conf").symlink_to(MOUNTED / "mosquitto.conf")
        (made / "data").mkdir()
        (made / "data").chmod(0o777)
        yield made


@pytest.fixture
def port(folder: Path) -> int:
    """A listener on a free port of 127.0.0.1 in place of the compose file's."""
    chosen = free_port()
    (folder / "config" / "listener.d").mkdir()
    (folder / "config" / "listener.d" / "test.conf").write_text(f"listener {chosen} 127.0.0.1\n")
    return chosen


@contextlib.contextmanager
def broker(folder: Path, port: int) -> Iterator[int]:
    """mosquitto in that folder, for the length of the block."""
    command = [require_program("mosquitto", "mosquitto"), "-c", "config/mosquitto.conf"]
    with server(command, folder / "mosquitto.log", folder, lambda: accepts(port)) as process:
        yield process


def publish(port: int, topic: str, *more: str, text: str) -> None:
    """Publish at QoS 1 over MQTT 5; `-l` makes each line of the text a message."""
    client = require_program("mosquitto_pub", "mosquitto-clients")
    command = [client, "-p", str(port), "-V", "5", "-q", "1", "-t", topic, *more]
    output(command, input=text)


def subscribe(port: int, topic: str, *more: str) -> list[str]:
    """What a subscriber prints, a line a message."""
    client = require_program("mosquitto_sub", "mosquitto-clients")
    command = [client, "-p", str(port), "-V", "5", "-q", "1", "-t", topic, "-W", "20", *more]
    return output(command).splitlines()


def test_the_compose_file_mounts_these_files() -> None:
    """What is tested here is what is deployed, below the same working directory."""
    assert COMPOSE["working_dir"] == "/mosquitto"
    assert "./config/mosquitto/mosquitto.conf:/mosquitto/config/mosquitto.conf:ro" in COMPOSE["volumes"]
    assert "./config/mosquitto/listener.d:/mosquitto/config/listener.d:ro" in COMPOSE["volumes"]
    assert any(volume.endswith(":/mosquitto/data") for volume in COMPOSE["volumes"])


def test_an_absent_processor_loses_nothing_even_when_the_broker_restarts(folder: Path, port: int) -> None:
    """More messages than a default queue holds wait for their subscriber, in order, through a restart."""
    sent = [str(number) for number in range(3 * DEFAULT_QUEUE)]
    session = ("-i", "processor", "-c", "-x", "3600")
    with broker(folder, port):
        assert subscribe(port, "bedside/#", *session, "-E") == []
        publish(port, "bedside/v1/icu-a/bed-1/map", "-l", text="\n".join(sent))
    with broker(folder, port):
        assert subscribe(port, "bedside/#", *session, "-C", str(len(sent))) == sent


def test_a_retained_alert_survives_a_restart(folder: Path, port: int) -> None:
    topic = "alerts/v1/icu-a/bed-1/MAP-LOW"
    with broker(folder, port):
        publish(port, topic, "-r", "-s", text="low")
    with broker(folder, port):
        assert subscribe(port, topic, "-C", "1") == ["low"]


def test_an_oversized_message_reaches_the_processor_and_a_huge_one_does_not(folder: Path, port: int) -> None:
    """Above the contract's 16 KiB the processor must see and count it; without any bound it would choke."""
    with broker(folder, port):
        publish(port, "bedside/v1/icu-a/bed-1/map", "-r", "-s", text="x" * 20_000)
        with contextlib.suppress(AssertionError):  # the client may be told so, or just be cut off
            publish(port, "bedside/v1/icu-a/bed-1/map", "-r", "-s", text="y" * 1_000_000)
        assert subscribe(port, "bedside/#", "-C", "1") == ["x" * 20_000]


def test_the_healthcheck_of_the_compose_file_passes(folder: Path, port: int) -> None:
    """It asks for a figure that the broker publishes about itself, so it must wait for one to be there."""
    _, name, *words = [word.replace("$$", "$") for word in COMPOSE["healthcheck"]["test"]]
    check = [require_program(name, "mosquitto-clients"), "-p", str(port), *words]
    retries = COMPOSE["healthcheck"]["retries"]
    with broker(folder, port):
        codes = [subprocess.run(check, capture_output=True, timeout=30).returncode for _ in range(retries)]
    assert 0 in codes, f"exit codes of {retries} tries: {codes}"


def test_the_broker_reports_what_it_dropped(folder: Path, port: int) -> None:
    """The processor raises a dropped message from this topic, soon after it happened."""
    with broker(folder, port):
        assert subscribe(port, "$SYS/broker/publish/messages/dropped", "-C", "1") == ["0"]


NEEDED_THERE = {"ip": "iproute2", "mosquitto": "mosquitto", "mosquitto_sub": "mosquitto-clients"}
IN_A_NETWORK_OF_ITS_OWN = """
ip link set lo up
mosquitto -c config/mosquitto.conf & broker=$!
trap 'kill $broker' EXIT
for attempt in $(seq 100); do
    mosquitto_pub -h 127.0.0.2 -p 1883 -V 5 -q 1 -r -t started -m yes 2>/dev/null && break
    sleep 0.1
done
mosquitto_sub -h 127.0.0.2 -p 1883 -V 5 -t started -C 1 -W 5
"""


def test_the_mounted_listener_listens_where_the_others_look(folder: Path) -> None:
    """Policy and listener together, as mounted: port 1883, and more than 127.0.0.1, for other containers."""
    for name, package in NEEDED_THERE.items():
        require_program(name, package)
    unshare = [require_program("unshare", "util-linux"), "--net"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-current-user", "--keep-caps"]
    (folder / "config" / "listener.d").symlink_to(MOUNTED / "listener.d")
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    said = output([*unshare, "sh", "-c", IN_A_NETWORK_OF_ITS_OWN], cwd=folder, env=environment)
    assert "yes" in said.splitlines()
