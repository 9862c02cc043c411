"""`./run` installs once, what is locked, and then gets out of the way.

Tried in a copy of the project that is nothing but `run`, a lock and a project file, with an installer of ours
in front of PATH: it notes what it was asked, and installs a program that tells what it was started with.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .system import ROOT

INSTALLER = """#!{python}
import json, os, sys
from pathlib import Path
venv = Path(sys.argv[sys.argv.index("--python") + 1]).parents[1]
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
(venv / "bin" / "streamproc").write_text({program!r})
if os.path.exists({fails!r}):
    os.kill(os.getppid(), 9)
"""
PROGRAM = """
import json, os, signal, sys
def goodbye(*_):
    print("stopped", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, goodbye)
print(json.dumps({"words": sys.argv[1:], "folder": os.getcwd(), "pid": os.getpid()}), flush=True)
if "wait" in sys.argv:
    signal.pause()
"""


class Clone:
    """A clone of the project whose installer is ours."""

    def __init__(self, folder: Path) -> None:
        self.project, self.log, self.breaks = folder / "project", folder / "log", folder / "breaks"
        (self.project / "requirements").mkdir(parents=True)
        shutil.copy(ROOT / "run", self.project)
        for name in ("pyproject.toml", "requirements/runtime.txt", "requirements/dev.txt"):
            (self.project / name).write_text("first\n")
        paths = {
            "log": str(self.log),
            "fails": str(self.breaks),
            "program": PROGRAM,
            "python": sys.executable,
        }
        (folder / "bin").mkdir()
        (folder / "bin" / "uv").write_text(INSTALLER.format(**paths))
        (folder / "bin" / "uv").chmod(0o755)
        told = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        self.environment = {**told, "PATH": f"{folder}/bin:{told['PATH']}", "HOME": str(folder)}

    def start(self, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start `./run` with these words."""
        command = [sys.executable, str(self.project / "run"), *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=cwd, env=self.environment, text=True, **pipes)

    def run(self, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `./run` with these words."""
        with self.start(*words, cwd=cwd) as process:
            out, err = process.communicate(timeout=60)
            return process.returncode, out, err

    @property
    def installs(self) -> list[list[str]]:
        """What the installer was asked, call by call."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    return Clone(tmp_path)


def test_only_what_is_locked_is_installed_and_then_the_project(clone: Clone) -> None:
    """Hashes for everything that comes from outside; the project itself brings nothing along."""
    assert clone.run("streamproc")[0] == 0
    locked, project = clone.installs
    assert locked[-2:] == ["-r", str(clone.project / "requirements" / "runtime.txt")]
    assert {"--require-hashes", "--only-binary", ":all:"} <= set(locked)
    assert project[-2:] == ["--editable", str(clone.project)]
    assert {"--no-deps", "--no-build-isolation"} <= set(project)


def test_a_second_start_installs_nothing_and_says_nothing(clone: Clone) -> None:
    _, _, first = clone.run("streamproc")
    _, _, second = clone.run("streamproc")
    assert "Setting up" in first
    assert second == ""
    assert len(clone.installs) == 2


@pytest.mark.parametrize("changed", ["pyproject.toml", "requirements/runtime.txt"])
def test_a_changed_lock_or_project_is_installed_anew(clone: Clone, changed: str) -> None:
    clone.run("streamproc")
    (clone.project / changed).write_text("second\n")
    clone.run("streamproc")
    assert len(clone.installs) == 4


def test_a_copied_folder_does_not_run_the_original(clone: Clone, tmp_path: Path) -> None:
    """The environment points at the folder that it was made in; a copy makes itself its own."""
    clone.run("streamproc")
    clone.project = shutil.copytree(clone.project, tmp_path / "copy", symlinks=True)
    clone.run("streamproc")
    assert clone.installs[-1][-1] == str(tmp_path / "copy")


def test_the_words_and_the_folder_of_the_user_reach_the_command(clone: Clone, tmp_path: Path) -> None:
    """A file named on the command line is meant from where the user stands."""
    code, out, _ = clone.run("demo", "--beds", "2", "a b", cwd=tmp_path)
    told = json.loads(out)
    assert code == 0
    assert told["words"] == ["demo", "--beds", "2", "a b"]
    assert told["folder"] == str(tmp_path)


def test_a_signal_reaches_the_command_itself(clone: Clone) -> None:
    """The command has taken the place of `./run`: one process, whose exit code is its own."""
    with clone.start("streamproc", "wait") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        os.kill(told["pid"], signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert told["pid"] == process.pid
    assert (process.returncode, out) == (7, "stopped\n")


def test_concurrent_first_starts_install_once(clone: Clone) -> None:
    started = [clone.start("streamproc") for _ in range(4)]
    codes = [process.communicate(timeout=60) and process.returncode for process in started]
    assert codes == [0, 0, 0, 0]
    assert len(clone.installs) == 2


def test_an_interrupted_installation_is_begun_anew(clone: Clone) -> None:
    """Half an environment is not trusted: the next start makes it from nothing."""
    clone.breaks.touch()
    assert clone.run("streamproc")[0] == -signal.SIGKILL
    leftover = clone.project / ".venv" / "leftover"
    leftover.touch()
    clone.breaks.unlink()
    assert clone.run("streamproc")[0] == 0
    assert not leftover.exists()


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--help",), 0), (("nonsense",), 2)])
def test_usage_is_told_without_installing_anything(clone: Clone, words: tuple[str, ...], code: int) -> None:
    returned, out, err = clone.run(*words)
    assert returned == code
    assert "usage: ./run COMMAND" in out + err
    assert clone.installs == []


def test_an_old_python_is_told_what_is_needed(clone: Clone) -> None:
    """The script stays readable for it, and says what is needed when there is no newer one to go on under."""
    script = clone.project / "run"
    ast.parse(script.read_text(), feature_version=(3, 7))
    pretend = (
        f"import runpy, sys; sys.version_info = (3, 8); runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    no_newer_one = {**clone.environment, "PATH": str(clone.project)}
    done = subprocess.run([sys.executable, "-c", pretend], env=no_newer_one, capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; this is 3.8" in done.stderr
