"""Fixtures of the contract suite: every test of it runs once for each backend there is."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.backends import FACTORIES, Factory, factory_of
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.tally import TALLY


@pytest.fixture(params=sorted(FACTORIES))
def factory(request: pytest.FixtureRequest) -> Factory:
    """Makes the backend that this test is about."""
    return factory_of(request.param)


@pytest.fixture
def clock() -> Clock:
    """The time of this test."""
    return Clock()


@pytest.fixture
async def driver(factory: Factory, clock: Clock) -> AsyncIterator[Driver]:
    """The workers of a backend, with no work yet."""
    async with factory(clock) as subject:
        yield Driver(subject, clock)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried."""
    if TALLY.flows:
        terminalreporter.write_line(str(TALLY))
