"""Rule 16: inputs may be added to a context that lives, and only the new combinations run."""

from collections.abc import Awaitable, Callable

import pytest

from tests.contract.driver import Driver
from tests.contract.shapes import A, B, C, flow, multi, operation, output, seeds
from tidemill.errors import ContextClosed, DuplicateContext, InvalidInput
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.model.limits import Limits
from tidemill.model.operation import Stage

JOIN = operation("join", {"a": A, "b": B})
TAKE = operation("take", {"a": A})
TIDY = operation("tidy", stage=Stage.CLEANUP)
READ = output("read")


def taken(driver: Driver) -> list[int]:
    """Return what `take` has been called with."""
    return [lease.arguments["a"] for lease in driver.leases if lease.instance == "take"]


# -- adding -----------------------------------------------------------------------------------------------------------


async def test_only_the_new_combinations_run(driver: Driver) -> None:
    await driver.open(flow(JOIN), seeds(A, 1, 2) + seeds(B, 10), hold=True)
    await driver.drain()
    before = len(driver.leases)
    assert await driver.backend.add("context", seeds(B, 20)) == 1
    await driver.drain()
    assert [lease.arguments for lease in driver.leases[before:]] == [{"a": 1, "b": 20}, {"a": 2, "b": 20}]
    await driver.backend.close("context")
    assert (await driver.end()).ending.parameter_sets == 4


async def test_inputs_are_added_while_work_is_leased_without_holding_the_context_open(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1))
    going = await driver.one()
    assert await driver.backend.add("context", seeds(A, 2, 3)) == 2
    await driver.complete(going)
    await driver.drain()
    await driver.end()
    assert taken(driver) == [1, 2, 3]


async def test_added_inputs_are_read_in_the_order_in_which_they_were_given(driver: Driver) -> None:
    driver.scripts["read"] = multi("A")
    await driver.open(flow(TAKE, READ), seeds(A, 3), hold=True)
    for value in (1, 2, 0):
        await driver.backend.add("context", seeds(A, value))
    await driver.backend.close("context")
    await driver.drain()
    assert (await driver.end()).result == {"A": [3, 1, 2, 0]}


async def test_an_added_input_opens_a_gate_for_what_was_there(driver: Driver) -> None:
    await driver.open(flow(operation("gated", {"a": A}, conditions=[B])), seeds(A, 1), hold=True)
    assert await driver.lease() == []
    await driver.backend.add("context", seeds(B, 1))
    assert (await driver.one()).arguments == {"a": 1}


async def test_nothing_added_is_nothing(driver: Driver) -> None:
    await driver.open(flow(TAKE), hold=True)
    assert await driver.backend.add("context", []) == 0


# -- uids -------------------------------------------------------------------------------------------------------------


async def test_an_input_with_a_uid_that_is_known_is_not_added_again(driver: Driver) -> None:
    await driver.open(flow(TAKE), [Input(1, A, uid="one")], hold=True)
    assert await driver.backend.add("context", [Input(1, A, uid="one"), Input(2, A, uid="two")]) == 1
    assert await driver.backend.add("context", [Input(2, A, uid="two"), Input(1, A, uid="one")]) == 0
    await driver.drain()
    assert taken(driver) == [1, 2]


async def test_a_uid_that_stands_twice_in_one_batch_is_one_input(driver: Driver) -> None:
    await driver.open(flow(TAKE), hold=True)
    assert await driver.backend.add("context", [Input(1, A, uid="one"), Input(1, A, uid="one")]) == 1


async def test_equal_inputs_without_uids_are_different_ones(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1), hold=True)
    assert await driver.backend.add("context", seeds(A, 1, 1)) == 2
    await driver.drain()
    assert taken(driver) == [1, 1, 1]


async def test_contexts_know_only_their_own_uids(driver: Driver) -> None:
    plan = await driver.open(flow(TAKE), [Input(1, A, uid="one")], name="left", hold=True)
    await driver.open(plan, name="right", hold=True)
    assert await driver.backend.add("right", [Input(2, A, uid="one")]) == 1


@pytest.mark.parametrize("place", ["stored", "in the batch"])
async def test_a_uid_that_stands_for_another_value_is_a_conflict(driver: Driver, place: str) -> None:
    await driver.open(flow(TAKE), [Input(1, A, uid="one")] if place == "stored" else (), hold=True)
    batch = [Input(5, A), *([] if place == "stored" else [Input(1, A, uid="one")]), Input(2, A, uid="one")]
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", batch)
    assert caught.value.reason == "InputConflict"
    assert caught.value.message == 'the uid "one" stands for 1 already; 2 needs one of its own'
    await driver.drain()
    assert taken(driver) == ([1] if place == "stored" else []), "nothing of the batch is stored"


# -- parents ----------------------------------------------------------------------------------------------------------


async def test_an_added_input_descends_from_inputs_of_its_context(driver: Driver) -> None:
    parent = Input(1, A, uid="parent")
    await driver.open(flow(TAKE), [parent], hold=True)
    await driver.backend.add("context", [Input(2, A, parents=[parent])])
    await driver.backend.close("context")
    await driver.drain()
    first, second = (await driver.end()).ending.lineage()
    assert second.parents == (first.id,)


@pytest.mark.parametrize("first", ["with the context", "later"])
async def test_parents_come_before_their_children_in_one_batch(driver: Driver, first: str) -> None:
    parent = Input(1, A)
    batch = [parent, Input(2, A, parents=[parent])]
    await driver.open(flow(TAKE), batch if first == "with the context" else [], hold=True)
    if first == "later":
        assert await driver.backend.add("context", batch) == 2
    await driver.backend.close("context")
    await driver.drain()
    one, other = (await driver.end()).ending.lineage()
    assert (one.parents, other.parents) == ((), (one.id,))


async def test_a_child_does_not_come_before_its_parent(driver: Driver) -> None:
    parent = Input(1, A)
    await driver.open(flow(TAKE), hold=True)
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", [Input(2, A, parents=[parent]), parent])
    assert (caught.value.reason, caught.value.path) == ("ForeignParent", "/inputs/0/parents")


async def test_a_parent_that_the_context_does_not_know_is_refused(driver: Driver) -> None:
    plan = await driver.open(flow(TAKE), [Input(1, A, uid="elsewhere")], name="other", hold=True)
    await driver.open(plan, hold=True)
    foreign = Input(1, A, uid="elsewhere")
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", [Input(3, A), Input(2, A, parents=[foreign])])
    assert (caught.value.reason, caught.value.path) == ("ForeignParent", "/inputs/1/parents")
    assert caught.value.message.endswith("is not an input of this context; add it first, with a uid")
    assert [lease.context for lease in await driver.lease(9)] == ["other"]


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (Input("text", A), "TypeMismatch"),
        (Input(None, A), "NullValue"),
        (Input(1, A, origin=("nobody", "b")), "UnknownOrigin"),
        (Input(1, Definition("other", "int", validate="nobody")), "ValidatorMissing"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_a_batch_with_one_wrong_input_is_refused_as_a_whole(driver: Driver, wrong: Input, reason: str) -> None:
    plan = await driver.open(flow(TAKE), hold=True)
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", [Input(1, A, uid="one"), wrong])
    assert caught.value.reason == reason
    assert await driver.lease() == []
    assert await driver.backend.add("context", [Input(1, A, uid="one")]) == 1
    with pytest.raises(InvalidInput):
        await driver.open(plan, [Input(1, A), wrong], name="new")
    await driver.open(plan, seeds(A, 1), name="new")


# -- the intake -------------------------------------------------------------------------------------------------------


async def test_a_context_that_is_held_open_does_not_go_quiet_before_it_is_closed(driver: Driver) -> None:
    driver.scripts["read"] = multi("A")
    await driver.open(flow(TAKE, TIDY, READ), seeds(A, 1), hold=True)
    await driver.drain()
    assert [lease.instance for lease in driver.leases] == ["take"]
    await driver.backend.close("context")
    await driver.drain()
    assert [lease.instance for lease in driver.leases] == ["take", "tidy", "read"]
    assert (await driver.end()).result == {"A": [1]}


async def test_closed_while_work_is_leased_it_ends_with_that(driver: Driver) -> None:
    await driver.open(flow(TAKE, TIDY), seeds(A, 1), hold=True)
    going = await driver.one()
    await driver.backend.close("context")
    assert await driver.lease() == []
    await driver.complete(going)
    assert (await driver.one()).instance == "tidy"


async def test_closing_twice_is_closing_once(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1), hold=True)
    await driver.backend.close("context")
    await driver.backend.close("context")
    await driver.drain()
    assert (await driver.end()).result == {}


async def test_an_empty_context_that_is_closed_ends(driver: Driver) -> None:
    await driver.open(flow(TAKE, TIDY), hold=True)
    await driver.backend.close("context")
    await driver.drain()
    assert [lease.instance for lease in (await driver.end()).leases] == ["tidy"]


async def test_defaults_wait_until_nothing_more_is_given(driver: Driver) -> None:
    given = Definition("given", "int", default=5)
    take = operation("take", {"a": given})
    await driver.open(flow(take), hold=True, name="given")
    await driver.open(flow(take), hold=True, name="not given")
    assert await driver.lease() == []
    await driver.backend.add("given", seeds(given, 1))
    for name in ("given", "not given"):
        await driver.backend.close(name)
    await driver.drain()
    assert [(lease.context, lease.arguments["a"]) for lease in driver.leases] == [("given", 1), ("not given", 5)]


# -- too late ---------------------------------------------------------------------------------------------------------


async def refused(wanted: Callable[[], Awaitable[object]], reason: str, message: str) -> None:
    """Fail unless this is refused with that reason and message."""
    with pytest.raises(ContextClosed) as caught:
        await wanted()
    assert (caught.value.reason, caught.value.message) == (reason, message)


async def test_after_the_intake_was_closed_nothing_is_added(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1), hold=True)
    going = await driver.one()
    await driver.backend.close("context")
    said = 'the intake of the context "context" was closed'
    await refused(lambda: driver.backend.add("context", seeds(A, 2)), "IntakeClosed", said)
    await driver.complete(going)
    assert (await driver.end()).ending.inputs == 1


async def test_after_the_processing_nothing_is_added(driver: Driver) -> None:
    await driver.open(flow(TAKE, TIDY), seeds(A, 1))
    await driver.complete(await driver.one())
    assert (await driver.one()).instance == "tidy"
    said = 'the context "context" has ended its processing'
    await refused(lambda: driver.backend.add("context", seeds(A, 2)), "RunClosed", said)


async def test_a_context_that_has_failed_takes_nothing_more(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1, 2), hold=True)
    _going, failing = await driver.lease(2)
    await driver.fail(failing)
    said = 'the context "context" has ended its processing'
    await refused(lambda: driver.backend.add("context", seeds(A, 3)), "RunClosed", said)


async def test_after_its_end_a_context_takes_nothing_until_it_is_forgotten(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1))
    await driver.drain()
    said = 'there is no context "context" that is still open'
    verbs = [
        lambda: driver.backend.add("context", seeds(A, 2)),
        lambda: driver.backend.close("context"),
        lambda: driver.backend.cancel("context"),
    ]
    for verb in verbs:
        await refused(verb, "RunClosed", said)
    await driver.end()
    for verb in verbs:
        await refused(verb, "RunGone", said)
    await refused(lambda: driver.backend.ending("context"), "RunGone", 'there is no context "context"')


async def test_nobody_knows_a_context_that_never_was(driver: Driver) -> None:
    said = 'there is no context "nowhere" that is still open'
    await refused(lambda: driver.backend.add("nowhere", seeds(A, 1)), "RunGone", said)
    await refused(lambda: driver.backend.ending("nowhere"), "RunGone", 'there is no context "nowhere"')


async def test_there_is_one_context_of_a_name_from_its_opening_until_it_is_forgotten(driver: Driver) -> None:
    plan = await driver.open(flow(TAKE, operation("other", {"c": C})), seeds(A, 1))
    for work in (lambda: driver.lease(0), driver.drain):
        await work()
        with pytest.raises(DuplicateContext) as caught:
            await driver.open(plan, seeds(A, 2))
        assert caught.value.message == (
            'there is a context "context" already; a context is known by its name, so give this one another'
        )
    assert (await driver.end()).ending.inputs == 1
    await driver.backend.open("context", plan, seeds(A, 2))
    assert (await driver.backend.implementations.cycle("w9", (), 1))[0].arguments() == {"a": 2}


async def test_more_inputs_than_the_limit_are_refused_and_the_context_lives(driver: Driver) -> None:
    await driver.open(flow(TAKE, limits=Limits(inputs=3)), seeds(A, 1, 2), hold=True)
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", seeds(A, 3, 4))
    assert (caught.value.reason, caught.value.message) == ("InputLimitExceeded", "4 inputs in one context; limit 3")
    assert await driver.backend.add("context", seeds(A, 3)) == 1
