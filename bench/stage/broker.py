"""mosquitto with the configuration that is deployed, on a free port and gone with the block."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.stage.processes import HOST, ROOT, accepts, eventually, free_port, running


@contextlib.contextmanager
def mosquitto(folder: Path, **instead: object) -> Iterator[tuple[int, int]]:
    """Its process, and its port of 127.0.0.1; `instead` names lines of the deployed policy to change."""
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        sys.exit("mosquitto is not installed: apt-get install mosquitto")
    port = free_port()
    folder.chmod(0o755)  # started as root, mosquitto becomes a user of its own
    (folder / "config" / "listener.d").mkdir(parents=True)
    (folder / "config" / "listener.d" / "bench.conf").write_text(f"listener {port} {HOST}\n")
    (folder / "data").mkdir()
    (folder / "data").chmod(0o777)
    (folder / "config" / "mosquitto.conf").write_text(policy(instead))
    log = folder / "mosquitto.log"
    with running([program, "-c", "config/mosquitto.conf"], folder, log) as pid:
        eventually(lambda: accepts(port) or None, log)
        yield pid, port


def policy(instead: dict[str, object]) -> str:
    """The deployed configuration, with some of its lines changed."""
    text = (ROOT / "config" / "mosquitto" / "mosquitto.conf").read_text()
    for key, value in instead.items():
        text, changed = re.subn(rf"^{key} .*$", f"{key} {value}", text, flags=re.MULTILINE)
        assert changed == 1, f"the deployed configuration has no {key}"
    return text
