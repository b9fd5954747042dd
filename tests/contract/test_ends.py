"""When a context has ended and has been asked for, nothing of it is left: no lease, no input, no parameter set."""

import pytest

from tests.contract.driver import Driver, Running
from tests.contract.shapes import LOCKED, A, B, flow, multi, operation, output, seeds
from tidemill.model.definition import Definition
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Child
from tidemill.plan.compile import compile_plan

USUAL = Definition("usual", "int", default=3)
EVERYTHING = flow(
    operation("make", {"a": A}, {"b": B}, expand=["b"], retry=2),
    operation("join", {"a": A, "b": B, "usual": USUAL, "locked": LOCKED}, concurrency=1),
    operation("run", {"a": A}),
    operation("tidy", {"b": B}, stage=Stage.CLEANUP),
    output("read"),
)


def forget(driver: Driver) -> None:
    """Have the driver forget what it has seen: it keeps contexts alive, too."""
    driver.leases.clear()
    driver.seen.clear()
    driver.scripts.clear()


def prepare(driver: Driver) -> None:
    """Say what the operations of these tests do."""
    child = compile_plan(flow(operation("inner", {"a": A})))
    driver.scripts.update(
        make=lambda a: {"b": [a, a]},
        read=multi("A", "B"),
        run=Running(lambda a: [Child(f"{a}", child, seeds(A, a))], lambda endings, a: None),
    )


@pytest.mark.parametrize("strict", [True, False])
async def test_of_contexts_that_have_ended_nothing_is_left(driver: Driver, strict: bool) -> None:
    plan = compile_plan(EVERYTHING)
    prepare(driver)
    for at in range(5):
        await driver.open(plan, seeds(A, 1, 2) + seeds(LOCKED, 0), name=f"c{at}", strict=strict)
        await driver.drain()
        await driver.end(f"c{at}")
    forget(driver)
    assert driver.subject.left() == 0


async def cancel_in_the_middle(driver: Driver, name: str) -> None:
    """Cancel a context of which something is leased, something waits for another try, and something for a child."""
    for lease in await driver.lease(9):
        if lease.instance == "run":
            await driver.finish(lease)
        elif lease.instance == "make":
            await driver.fail(lease)
    assert driver.clock.advance(), "another try was to come"
    await driver.backend.cancel(name)
    await driver.drain()
    await driver.end(name)


async def test_of_contexts_that_were_cancelled_in_the_middle_of_everything_nothing_is_left(driver: Driver) -> None:
    plan = compile_plan(EVERYTHING)
    prepare(driver)
    for at in range(5):
        await driver.open(plan, seeds(A, 1, 2) + seeds(LOCKED, 0), name=f"c{at}")
        await cancel_in_the_middle(driver, f"c{at}")
    forget(driver)
    assert driver.subject.left() == 0


async def test_what_still_lives_is_left(driver: Driver) -> None:
    """The count itself counts."""
    await driver.open(EVERYTHING, seeds(A, 1))
    assert driver.subject.left() == 1
