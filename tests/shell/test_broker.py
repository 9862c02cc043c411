"""What the embedded broker promises: a free port of 127.0.0.1, silence, and no survivor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE

import pytest
from structlog.testing import capture_logs

from streamproc.shell.broker import BrokerFailed, EmbeddedBroker, free_port
from streamproc.shell.mqtt import Connection, MqttSettings

SOON_S = 20.0


def answers(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


async def ended(process: int) -> bool:
    """Wait for the end of a process that is not our child, by its file descriptor."""
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(process, gone.set)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SOON_S):
            await gone.wait()
    asyncio.get_running_loop().remove_reader(process)
    os.close(process)
    return gone.is_set()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_takes_mqtt_5_and_its_port_is_free_again_afterwards() -> None:
    async with EmbeddedBroker() as broker:
        port, pid = broker.port, broker.pid
        assert pid is not None
        async with Connection(MqttSettings("127.0.0.1", port, "ward"), ["ward/#"]) as ward:
            assert await ward.ready(SOON_S)
            ward.publish("ward/map", b"63")
            assert [delivery.payload for delivery in await ward.batch(SOON_S)] == [b"63"]
    assert not answers(port)
    assert not alive(pid)
    assert broker.pid is None


async def test_a_port_may_be_chosen() -> None:
    port = free_port()
    async with EmbeddedBroker(port) as broker:
        assert broker.port == port
        assert answers(port)


async def test_two_live_side_by_side() -> None:
    async with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.port != other.port


async def test_only_this_machine_can_reach_it(embedded_broker: EmbeddedBroker) -> None:
    """Any other address of this machine, here one of its loopback range, is closed."""
    assert answers(embedded_broker.port)
    assert not answers(embedded_broker.port, "127.0.0.2")


async def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BrokerFailed, match=f"{port}: the port is in use"):
            async with EmbeddedBroker(port):
                pass


async def test_a_broker_that_cannot_start_says_what_it_said() -> None:
    with pytest.raises(BrokerFailed, match="invalid broker config"):
        async with EmbeddedBroker(free_port(), connections_max=-1):
            pass


async def test_it_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    async with EmbeddedBroker() as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(b"\x00\x00 is not MQTT at all")
        await reader.read()
        writer.close()
    assert capfd.readouterr() == ("", "")


async def test_its_death_is_told(embedded_broker: EmbeddedBroker) -> None:
    assert embedded_broker.pid is not None
    assert embedded_broker._watch is not None
    with capture_logs() as logs:
        os.kill(embedded_broker.pid, signal.SIGKILL)
        async with asyncio.timeout(SOON_S):
            await embedded_broker._watch
    assert [(log["event"], log["code"]) for log in logs] == [("embedded_broker_died", -signal.SIGKILL)]


OWNER = """
import asyncio
from streamproc.shell.broker import EmbeddedBroker
async def own():
    async with EmbeddedBroker() as broker:
        print(broker.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(own())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_it_does_not_survive_its_owner(how: signal.Signals) -> None:
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, stdout=PIPE, stderr=PIPE)
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    broker = os.pidfd_open(pid)
    owner.send_signal(how)
    await owner.communicate()
    assert await ended(broker)
