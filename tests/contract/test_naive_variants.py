"""Mistakes that one would make in an engine, each made on purpose in the memory backend: the suite has to notice."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pkgutil import resolve_name
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.contract.backends import FACTORIES
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.flows import Flow
from tests.contract.naive import VARIANTS, Parts, Variant
from tests.contract.strategies import flows

MEMORY = FACTORIES["memory"]
BY_TEST = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
BY_FLOWS = pytest.mark.parametrize(
    "variant", [one for one in VARIANTS.values() if one.flows], ids=lambda variant: variant.name
)
WITHIN = 5000
"""Random data flows among which one has to show a mistake; most take less than 100."""
SOON = 0.2
"""Seconds to wait for the end of a context of which everything has happened: a mistaken one may never end."""


def first_values(test: Callable[..., Any]) -> dict[str, Any]:
    """Return the first value of everything that a test is parametrized with."""
    found: dict[str, Any] = {}
    for mark in getattr(test, "pytestmark", ()):
        names, values = mark.args[:2]
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        first = getattr(values[0], "values", values[0])
        found.update(zip(names, first if len(names) > 1 else [first], strict=True))
    return found


async def run_test(test: Callable[..., Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test of the contract with the memory backend."""
    clock = Clock()
    async with MEMORY(clock) as subject:
        known = {
            "driver": Driver(subject, clock), "clock": clock, "factory": MEMORY, "monkeypatch": monkeypatch,
            **first_values(test),
        }  # fmt: skip
        await test(**{name: known[name] for name in inspect.signature(test).parameters})


def search(most: int) -> None:
    """Examine up to so many random data flows, always the same ones. Raises what the first failing one does."""
    examine = resolve_name("tests.contract.test_fixpoint.examine")

    found = list[Exception]()

    @settings(max_examples=most, derandomize=True, database=None, phases=[Phase.generate], report_multiple_bugs=False)
    @given(flow=flows(), number=st.integers(0, 2**20))
    def search_on(flow: Flow, number: int) -> None:
        try:
            for order in range(2):
                examine(flow, MEMORY, number + order)
        except (AssertionError, TimeoutError) as error:
            found.append(error)
            raise

    try:
        search_on()
    except Exception:
        # Hypothesis runs it once more; a mistaken engine need not make the same mistake again.
        if found:
            raise found[0] from None
        raise


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for contexts that never end."""
    monkeypatch.setattr("tests.contract.driver.DEADLINE", SOON)


@BY_TEST
def test_the_test_that_catches_a_mistake_passes_without_it(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(run_test(resolve_name(":".join(variant.test)), monkeypatch))


@BY_TEST
def test_the_mistake_is_caught_by_its_test(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    variant.patch(Parts(monkeypatch))
    with pytest.raises((AssertionError, TimeoutError)):
        asyncio.run(run_test(resolve_name(":".join(variant.test)), monkeypatch))


@BY_FLOWS
def test_the_mistake_is_caught_by_random_data_flows(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    variant.patch(Parts(monkeypatch))
    with pytest.raises((AssertionError, TimeoutError)):
        search(WITHIN)


def test_without_a_mistake_the_same_data_flows_pass() -> None:
    search(300)


def test_there_is_a_variant_for_each_kind_of_mistake() -> None:
    assert len(VARIANTS) >= 10
