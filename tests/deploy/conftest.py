"""What the tests of the deployed files share: a simulated ward's quarter of an hour, replayed once."""

from __future__ import annotations

import time

import pytest

from .simulated_ward import History, simulated

HISTORY_S = 900


@pytest.fixture(scope="session")
def history() -> History:
    """The quarter of an hour that has just passed."""
    return simulated(int(time.time()) - HISTORY_S, HISTORY_S)
