"""Worker processes for simulations, which are many and independent of each other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

import pytest


@pytest.fixture(scope="package")
def workers() -> Iterator[Executor]:
    """One for each core, each a fresh interpreter; one that dies fails its test instead of hanging it."""
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        yield pool
