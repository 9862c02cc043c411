"""Worker processes for simulations, which are many and independent of each other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="package")
def workers() -> Iterator[Any]:
    """One for each core; each is a fresh interpreter."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        yield pool
