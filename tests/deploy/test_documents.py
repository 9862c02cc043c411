"""The documents point at things that are there, and speak of no machine, registry or workplace."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from streamproc.core.events import MapSample
from streamproc.wire import Decoder, Topics
from streamproc.wire.instant import instant_ms
from tests.conftest import require_program

from .system import ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# The brackets keep this very line from being one of those it finds.
FORBIDDEN = re.compile(r"/(?:wor[k]|roo[t]|hom[e])/|https?://\S*(?:registry|mirror|pypi|pythonhosted)")


def tracked(*patterns: str) -> list[Path]:
    """The project's own files, as git lists them."""
    listed = subprocess.run(
        [require_program("git", "git"), "ls-files", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stderr
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def dead_links(text: str, folder: Path) -> list[str]:
    """The relative links of a document in this folder that lead nowhere."""
    places = [link.partition("#")[0] for link in LINK.findall(FENCE.sub("", text)) if ":" not in link]
    return [place for place in places if place and not (folder / place).exists()]


def test_links_lead_somewhere() -> None:
    documents = {path: path.read_text(encoding="utf-8") for path in tracked("*.md")}
    dead = {str(path): dead_links(text, path.parent) for path, text in documents.items()}
    assert {path: links for path, links in dead.items() if links} == {}


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    """Links to elsewhere and inside code blocks are not looked at."""
    (tmp_path / "there.md").touch()
    text = "[a](there.md#part) [b](gone.md) [c](https://a.b/c) [d](#here)\n```\n[e](code.md)\n```\n"
    assert dead_links(text, tmp_path) == ["gone.md"]


def test_the_readmes_message_is_one_of_the_contract() -> None:
    """Whoever begins by pasting it must not begin with a dead letter."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [(topic, told)] = re.findall(
        r"mosquitto_pub .*? -t (\S+) -m '(\{.*?\})'$", text, re.MULTILINE | re.DOTALL
    )
    payload, times = re.subn(r"'\$\(date [^)]*\)'", "2026-11-23T08:15:02Z", told)
    decoded = Decoder(Topics(), {}).decode(topic, payload.encode(), instant_ms("2026-11-23T08:15:02Z"), False)
    assert isinstance(decoded, MapSample), decoded
    assert (times, decoded.bed, decoded.milli_mmhg) == (1, "icu-a/bed-7", 63_000)


def test_no_machine_or_registry_is_named() -> None:
    """A path or host of one machine is wrong on every other."""
    named = [
        f"{path.relative_to(ROOT)}:{number}: {found.group()}"
        for path in tracked()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if (found := FORBIDDEN.search(line))
    ]
    assert named == []


@pytest.mark.parametrize("group", ["At run time", "For development", "To build"])
def test_each_dependency_says_why_it_is_there(group: str) -> None:
    """A dependency without a reason is one to remove; a reason without a dependency is a leftover."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {
        "At run time": project["project"]["dependencies"],
        "For development": project["project"]["optional-dependencies"]["dev"],
        "To build": project["build-system"]["requires"],
    }[group]
    section = (ROOT / "docs" / "dependencies.md").read_text().split(f"## {group}\n")[1].split("\n## ")[0]
    explained = re.findall(r"^\| ([\w.-]+) \| \S.+ \|$", section, re.MULTILINE)[1:]
    assert explained == sorted(Requirement(line).name for line in wanted)


def test_the_changelog_has_room_for_the_next_change() -> None:
    """And every version that was released stands below it, newest first."""
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = [tuple(map(int, version.split("."))) for version in headings[1:]]
    assert released == sorted(released, reverse=True)
