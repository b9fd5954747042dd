"""What all tests share: how Hypothesis searches."""

import signal
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A slow or busy machine is no failure of an example: no deadline for one, and no complaint about slow generation.
settings.register_profile("tidemill", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])

# One run for each mutant: fewer examples, always the same ones.
settings.register_profile("mutants", settings.get_profile("tidemill"), max_examples=25, derandomize=True, database=None)

settings.load_profile("tidemill")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts tests in the background has them ignore it, and the programs that they start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

BUILDING = 3600
"""Seconds for one test on a cluster, the building of all that it needs included."""

_measuring: list[Any] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Measure on: CPython drops the trace function for good when a RecursionError strikes inside it, and some tests are
    about values that hold themselves."""
    current = sys.gettrace()
    if current is not None:
        _measuring[:] = [current]
    elif _measuring:
        sys.settrace(_measuring[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what needs a cluster to the end, and give it time: building one takes long where there was none."""
    items.sort(key=lambda item: item.get_closest_marker("cluster") is not None)
    for item in items:
        if item.get_closest_marker("cluster") is not None:
            item.add_marker(pytest.mark.timeout(BUILDING))
