"""The lock files hold what pyproject.toml asks for, each wheel by its hash, and no address."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .system import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD = PROJECT["build-system"]["requires"]
RUNTIME = PROJECT["project"]["dependencies"]
DEV = PROJECT["project"]["optional-dependencies"]["dev"]
WANTED = {"runtime": BUILD + RUNTIME, "dev": BUILD + RUNTIME + DEV}
TELL = "./run lock"
PIN = re.compile(
    r"^([\w.-]+)==(\S+)(?: ;[^\\]*)? \\((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+)$", re.MULTILINE
)


def text(group: str) -> str:
    return (ROOT / "requirements" / f"{group}.txt").read_text()


def pins(group: str) -> dict[str, Version]:
    """Each locked package's version."""
    found = PIN.findall(text(group))
    return {canonicalize_name(name): Version(version) for name, version, _ in found}


def unmet(group: str) -> Iterator[str]:
    """What pyproject.toml asks for and the lock does not hold."""
    locked = pins(group)
    for requirement in map(Requirement, WANTED[group]):
        version = locked.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            yield f"{requirement} is locked at {version}"


@pytest.mark.parametrize("group", WANTED)
def test_the_lock_holds_what_the_project_asks_for(group: str) -> None:
    assert list(unmet(group)) == [], f"run {TELL}"


@pytest.mark.parametrize("group", WANTED)
def test_every_line_is_a_pin_with_hashes(group: str) -> None:
    """One line without a hash, and pip would take whatever it is given."""
    rest = PIN.sub("", text(group)).strip().splitlines()
    assert all(line.startswith("#") for line in rest if line), rest


@pytest.mark.parametrize("group", WANTED)
def test_no_address_stands_in_the_lock(group: str) -> None:
    """Where packages come from is the installing machine's own setting."""
    assert not re.search(r"https?:|--(?:extra-)?index-url|--find-links|--trusted-host", text(group))


def test_tests_run_on_the_versions_that_are_deployed() -> None:
    assert pins("runtime").items() <= pins("dev").items()
