"""Channels: which operations, gates and validators an input concerns, by its origin, its definition and its past."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.making import NUMBER, TEXT, operation, plan_of
from tidemill import Definition, InputFlow, Operation
from tidemill.engine.operations import Channel, Channels, Target
from tidemill.errors import InvalidInput
from tidemill.model.input import Origin
from tidemill.plan.plan import Plan

WITH = NUMBER._replace(default=0)


def targets(channel: Channel) -> list[tuple[Any, ...]]:
    return [(t.operation.instance, t.index, t.parameters, t.plain) for t in channel.targets]


def doors(channel: Channel) -> list[tuple[Any, ...]]:
    return [(d.operation.instance, d.group, d.paths) for d in channel.doors]


def flow(**sources: dict[str, list[Any]]) -> dict[str, InputFlow]:
    return {name: InputFlow(inputs=inputs) for name, inputs in sources.items()}


SOURCES = plan_of(
    Operation("a", inputs={"x": NUMBER}, outputs={"o": NUMBER, "p": NUMBER}),
    Operation("b", inputs={"x": WITH}),
    Operation("c", inputs={"x": NUMBER, "y": NUMBER, "z": TEXT}),
    Operation("d", inputs={"x": NUMBER}),
    Operation("e", inputs={"x": NUMBER}),
    flow=flow(
        a={"x": ["seed"]},
        b={"x": [{"a": "o"}, "seed"]},
        c={"x": ["seed", "client"], "y": [{"a": "o"}, "client"], "z": ["client"]},
        d={"x": [[{"a": "o"}, "seed"], [{"a": "o"}, {"a": "p"}, "client"]]},
        e={"x": [{"client": ["number", "text"]}, [{"a": "p"}, "seed"], {"a": "p"}]},
    ),
)
X, Y, Z = (0, ()), (1, ()), (2, ())


@pytest.mark.parametrize(
    ("origin", "definition", "expected"),
    [
        ("seed", NUMBER, [("a", 0, (X,), True), ("b", 1, (X,), False), ("c", 2, (X,), False)]),
        ("client", NUMBER, [("c", 2, (X, Y), False), ("e", 4, (X,), True)]),
        ("client", TEXT, [("c", 2, (Z,), False), ("e", 4, (X,), True)]),
        ("seed", TEXT, []),
        ("stranger", NUMBER, []),
        ("client", Definition("stranger"), []),
        (
            ("a", "o"),
            NUMBER,
            [
                ("b", 1, (X,), False),
                ("c", 2, (Y,), False),
                ("d", 3, ((0, (("seed",), (("a", "p"), "client"))),), False),
            ],
        ),
        (("a", "p"), NUMBER, [("e", 4, (X,), True)]),  # one of the sources asks for no path
    ],
)
def test_a_channel_concerns_whoever_accepts_its_origin_and_definition(
    origin: Origin, definition: Definition, expected: list[Any]
) -> None:
    channel = Channels(SOURCES).given(origin, definition)
    assert targets(channel) == expected
    assert (channel.doors, channel.validator) == ((), None)


@pytest.mark.parametrize("name", ["o", "p"])
def test_an_output_concerns_those_whom_a_given_input_in_its_name_does(name: str) -> None:
    channels = Channels(SOURCES)
    output = channels.output(SOURCES.instances["a"], name)
    given = channels.given(("a", name), NUMBER)
    assert targets(output) == targets(given)
    assert output is not given
    assert (output.operation, output.index) == (SOURCES.instances["a"], "op".index(name))
    assert (given.operation, given.index, given.origin) == (None, 0, ("a", name))
    assert (output.origin, output.definition) == (("a", name), NUMBER)


def test_a_channel_is_made_once() -> None:
    channels = Channels(SOURCES)
    a = SOURCES.instances["a"]
    assert channels.given("seed", NUMBER) is channels.given("seed", NUMBER)
    assert channels.given("client", TEXT) is channels.given("client", TEXT)
    assert channels.given(("a", "o"), NUMBER) is channels.given(("a", "o"), NUMBER)
    assert channels.given("client", NUMBER) is not channels.given("client", TEXT)
    assert channels.output(a, "o") is channels.output(a, "o")
    assert channels.output(a, "o") is not channels.output(a, "p")


def test_seeds_are_remembered_where_nobody_takes_any() -> None:
    plan = plan_of(operation("a", "x"), flow={"a": InputFlow(inputs={"x": ["client"]})})
    channels = Channels(plan)
    assert channels.given("seed", NUMBER) is channels.given("seed", NUMBER)


@pytest.mark.parametrize(("origin", "definition"), [("made up", NUMBER), ("seed", Definition("made up"))])
def test_names_that_users_make_up_are_not_kept(origin: str, definition: Definition) -> None:
    channels = Channels(SOURCES)
    assert channels.given(origin, definition) is not channels.given(origin, definition)


def test_the_definition_of_the_plan_says_what_a_value_is() -> None:
    channel = Channels(SOURCES).given("client", Definition("text", "generic"))
    assert channel.definition is TEXT
    assert channel.check is not None and channel.check[0] is str
    stranger = Definition("stranger", "weather")
    assert Channels(SOURCES).given("client", stranger).definition is stranger
    assert Channels(SOURCES).given("client", stranger).check is None


@pytest.mark.parametrize(
    ("takes", "default", "path", "plain"),
    [
        ("x", False, False, True),
        ("x", True, False, False),
        ("x", False, True, False),
        ("xy", False, False, False),
    ],
)
def test_plain_is_one_parameter_without_default_or_path(takes: str, default: bool, path: bool, plain: bool) -> None:
    source: Any = [{"a": "o"}, "seed"] if path else {"a": "o"}
    plan = plan_of(
        operation("a", "x", gives="o"),
        operation("b", takes, of=WITH if default else NUMBER),
        flow=flow(a={"x": ["seed"]}, b={"x": [source], **({"y": ["client"]} if "y" in takes else {})}),
    )
    (target,) = Channels(plan).output(plan.instances["a"], "o").targets
    assert isinstance(target, Target)
    assert target.plain is plain


YES, WORD = Definition("yes", "bool"), Definition("word", "str")
GATES = plan_of(
    Operation("a", inputs={"x": NUMBER}, outputs={"o": YES}, conditions=[YES, WORD]),
    Operation("b", inputs={"x": NUMBER}, conditions=[YES, WORD], conditions_mode="any"),
    Operation("c", inputs={"x": NUMBER}, conditions=[YES]),
    flow={
        "a": InputFlow(inputs={"x": ["seed"]}, conditions=["seed"]),
        "b": InputFlow(inputs={"x": ["seed"]}, conditions=["seed", {"a": "o"}]),
        "c": InputFlow(inputs={"x": ["seed"]}, conditions=[[{"a": "o"}, "seed"], {"client": ["yes"]}]),
    },
)


@pytest.mark.parametrize(
    ("origin", "definition", "expected"),
    [
        ("seed", YES, [("a", 0, ()), ("b", 0, ())]),
        ("seed", WORD, [("a", 1, ()), ("b", 0, ())]),
        ("client", YES, [("c", 0, ())]),
        ("client", WORD, []),
        (("a", "o"), YES, [("b", 0, ()), ("c", 0, (("seed",),))]),
    ],
)
def test_a_channel_knocks_at_the_gates_that_name_it(
    origin: Origin, definition: Definition, expected: list[Any]
) -> None:
    channels = Channels(GATES)
    assert doors(channels.given(origin, definition)) == expected
    if not isinstance(origin, str):
        assert doors(channels.output(GATES.instances[origin[0]], origin[1])) == expected


RAW = Definition("raw", "str", validate="check")
CHECKED = Definition("checked", "str")


def validating(gives: Definition, **more: Any) -> Plan:
    """A validator of RAW that gives something, operations that take it, and one that takes it by a condition."""
    return plan_of(
        Operation("check", inputs={"x": RAW}, outputs={"y": gives}, validator=True),
        Operation("fetch", inputs={"n": NUMBER}, outputs={"raw": RAW}),
        Operation("from_fetch", inputs={"x": gives}),
        Operation("from_seed", inputs={"x": gives}, conditions=[gives]),
        flow={
            "check": InputFlow(inputs={"x": ["seed"]}),
            "fetch": InputFlow(inputs={"n": ["seed"]}),
            "from_fetch": InputFlow(inputs={"x": [{"fetch": "raw"}]}),
            "from_seed": InputFlow(inputs={"x": ["seed"]}, conditions=[{"check": "y"}]),
        },
        **more,
    )


@pytest.mark.parametrize("origin", ["seed", "client", ("fetch", "raw")])
def test_what_has_to_be_validated_goes_to_its_validator_only(origin: Origin) -> None:
    plan = validating(RAW)
    channel = Channels(plan).given(origin, RAW)
    assert (channel.targets, channel.doors) == ((), ())
    waiting = channel.validator
    assert waiting is not None
    assert targets(waiting) == [("check", 0, (X,), True)]
    assert (waiting.doors, waiting.validator) == ((), None)
    assert (waiting.origin, waiting.definition, waiting.operation, waiting.index) == (origin, RAW, None, 0)


def test_a_channel_knows_for_whom_an_input_is_once_it_has_been_validated() -> None:
    plan = plan_of(
        Operation("check", inputs={"x": RAW}, outputs={"y": RAW}, validator=True),
        Operation("one", inputs={"n": NUMBER, "x": RAW}),
        Operation("two", inputs={"x": RAW, "y": RAW, "z": RAW}),
        flow=flow(
            check={"x": ["seed", "client"]},
            one={"n": ["seed"], "x": ["client"]},
            two={"x": ["seed"], "y": ["seed", "client"], "z": ["stranger"]},
        ),
    )
    channels = Channels(plan)
    assert channels.given("seed", RAW).awaited == ((0, 0), (2, 0), (2, 1))
    assert channels.given("client", RAW).awaited == ((0, 0), (1, 1), (2, 1))
    assert channels.given("seed", NUMBER).awaited == ()
    assert channels.output(plan.instances["check"], "y").awaited == ()


def test_an_output_that_has_to_be_validated_stays_an_output_while_it_waits() -> None:
    plan = plan_of(
        Operation("check", inputs={"x": RAW}, outputs={"y": RAW}, validator=True),
        Operation("fetch", inputs={"n": NUMBER}, outputs={"head": NUMBER, "raw": RAW}),
    )
    channel = Channels(plan).output(plan.instances["fetch"], "raw")
    assert (channel.targets, channel.operation, channel.index) == ((), plan.instances["fetch"], 1)
    waiting = channel.validator
    assert waiting is not None
    assert (waiting.operation, waiting.index) == (plan.instances["fetch"], 1)
    assert targets(waiting) == [("check", 0, (X,), True)]


def test_a_validator_takes_no_default_so_it_is_plain() -> None:
    raw = RAW._replace(default="")
    plan = plan_of(Operation("check", inputs={"x": raw}, outputs={"y": raw}, validator=True))
    waiting = Channels(plan).given("seed", raw).validator
    assert waiting is not None
    assert targets(waiting) == [("check", 0, (X,), True)]


@pytest.mark.parametrize("gives", [RAW, CHECKED])
def test_what_a_validator_gave_stands_for_what_it_was_given(gives: Definition) -> None:
    plan = validating(gives)
    channels = Channels(plan)
    check = plan.instances["check"]
    alone = channels.output(check, "y")
    assert (alone.validator, targets(alone), doors(alone)) == (None, [], [("from_seed", 0, ())])
    for before, taker in (("seed", ("from_seed", 3, (X,), True)), (("fetch", "raw"), ("from_fetch", 2, (X,), True))):
        made = channels.validated(alone, channels.given(before, RAW))
        assert targets(made) == [taker]
        assert doors(made) == [("from_seed", 0, ())]
        assert (made.origin, made.definition, made.operation, made.index) == (("check", "y"), gives, check, 0)
        assert (made.stands_for, alone.stands_for) == (before, None)
        assert made.validator is None
        assert made is channels.validated(alone, channels.given(before, RAW))
        assert made is not alone
    nobody = channels.validated(alone, channels.given("made up", RAW))
    assert targets(nobody) == []
    assert nobody is not channels.validated(alone, channels.given("made up", RAW))  # such names are not kept


def test_an_operation_may_take_what_it_gave_itself_unless_it_validates() -> None:
    plan = plan_of(operation("a", "x", gives="o"), flow=flow(a={"x": ["seed", {"a": "o"}]}))
    assert targets(Channels(plan).output(plan.instances["a"], "o")) == [("a", 0, (X,), True)]
    check = Operation("check", inputs={"x": RAW}, outputs={"y": RAW}, validator=True)
    plan = plan_of(check, flow=flow(check={"x": ["seed", {"check": "y"}]}))
    assert targets(Channels(plan).output(plan.instances["check"], "y")) == []


def test_what_is_given_in_the_name_of_the_validator_counts_as_validated() -> None:
    channel = Channels(validating(RAW)).given(("check", "y"), RAW)
    assert channel.validator is None
    assert doors(channel) == [("from_seed", 0, ())]


REFUSED = '"stray" is validated by "{}", which is no validator of it in this data flow (has: check){}'


@pytest.mark.parametrize(
    ("validator", "nearest"),
    [("nobody", ""), ("chekc", '; did you mean "check"?'), ("fetch", ""), ("check", '; did you mean "check"?')],
)
def test_what_nobody_can_validate_is_refused(validator: str, nearest: str) -> None:
    stray = Definition("stray", "str", validate=validator)
    with pytest.raises(InvalidInput) as caught:
        Channels(validating(RAW)).given("seed", stray)
    assert caught.value.message == REFUSED.format(validator, nearest)
    assert (caught.value.reason, caught.value.path) == ("ValidatorMissing", "/definitions/stray/validate")


def test_an_operation_that_takes_the_definition_but_is_no_validator_does_not_validate_it() -> None:
    plan = plan_of(Operation("take", inputs={"x": TEXT}))
    definitions = {"text": TEXT._replace(validate="take")}
    object.__setattr__(plan, "definitions", definitions)
    with pytest.raises(InvalidInput, match="which is no validator of it in this data flow .there are none."):
        Channels(plan).given("seed", TEXT)
