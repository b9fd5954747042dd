"""What is wrong with a data flow is told all at once, each finding with its reason, its place and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from tidemill import (
    DataFlow,
    Definition,
    Forward,
    Input,
    InputFlow,
    InvalidFlow,
    Operation,
    TidemillError,
    ValidatorMissing,
    compile_plan,
)
from tidemill.plan.check import MAX_LOCKS

URL, BODY, STATUS = Definition("url", "str"), Definition("body", "str"), Definition("status", "int")
HEIGHT, WIDTH = Definition("height", "int"), Definition("width", "int")
FETCH = Operation("fetch", inputs={"url": URL}, outputs={"body": BODY, "status": STATUS})
SCORE = Operation("score", inputs={"height": HEIGHT, "width": WIDTH})


def problems(*operations: Operation, **more: Any) -> list[tuple[str, str, str]]:
    """Compile what has something wrong with it, and return every finding."""
    with pytest.raises(InvalidFlow) as caught:
        compile_plan(DataFlow(*operations, **more))
    found = caught.value.problems
    assert str(caught.value) == "\n".join(f"{p.reason} at {p.path}: {p.message}" for p in found)
    assert (caught.value.reason, caught.value.path) == (found[0].reason, found[0].path)
    return [(problem.reason, problem.path, problem.message) for problem in found]


def problem(*operations: Operation, **more: Any) -> tuple[str, str, str]:
    """Return the only finding."""
    (found,) = problems(*operations, **more)
    return found


def flow_of(operation: str, **inputs: Any) -> dict[str, InputFlow]:
    return {operation: InputFlow(inputs={name: [source] for name, source in inputs.items()})}


def test_a_data_flow_has_at_least_one_operation() -> None:
    assert problem() == ("NoOperations", "/operations", "a data flow has at least one operation")


def test_flow_names_an_unknown_operation() -> None:
    assert problem(FETCH, SCORE, flow={"scor": InputFlow()}) == (
        "UnknownOperation",
        "/flow/scor",
        'flow names the operation "scor", which does not exist (has: fetch, score); did you mean "score"?',
    )


def test_flow_names_an_unknown_parameter() -> None:
    assert problem(SCORE, flow=flow_of("score", hieght="seed")) == (
        "UnknownParameter",
        "/flow/score/inputs/hieght",
        'operation "score" has no parameter "hieght" (has: height, width); did you mean "height"?',
    )


def test_a_source_names_an_unknown_output() -> None:
    assert problem(FETCH, flow=flow_of("fetch", url={"fetch": "bdy"})) == (
        "UnknownOutput",
        "/flow/fetch/inputs/url/0",
        '"fetch" has no output "bdy" (has: body, status); did you mean "body"?',
    )


def test_a_source_names_an_unknown_operation() -> None:
    assert problem(FETCH, flow=flow_of("fetch", url={"zz": "body"})) == (
        "UnknownOperation",
        "/flow/fetch/inputs/url/0",
        'there is no operation "zz" (has: fetch)',
    )


@pytest.mark.parametrize(
    "source",
    [
        {("zz", "body"): ["url"]},
        [{"zz": "body"}, "seed"],
        [{"fetch": "body"}, {"zz": "body"}],
        {"fetch": "body", "zz": "body"},
    ],
)
def test_names_are_looked_up_in_every_spelling_and_told_once(source: Any) -> None:
    reason, path, _ = problem(FETCH, flow=flow_of("fetch", url=source))
    assert (reason, path) == ("UnknownOperation", "/flow/fetch/inputs/url/0")


@pytest.mark.parametrize(
    "source",
    [
        3,
        None,
        {},
        [],
        {"fetch": 3},
        {("fetch", "body"): None},
        {("fetch",): ["url"]},
        {3: ["url"]},
        [{"seed": ["url", "body"]}, "seed"],
        [["seed", 3]],
        [["seed", "client"], "seed"],
        ["seed", ["client", "seed"]],
    ],
    ids=str,
)
def test_what_is_no_source_is_told_with_what_would_be_one(source: Any) -> None:
    reason, path, message = problem(FETCH, flow=flow_of("fetch", url=source))
    assert (reason, path) == ("InvalidSource", "/flow/fetch/inputs/url/0")
    assert "is no source; expected" in message


@pytest.mark.parametrize(
    ("source", "step", "definition", "instead"),
    [
        ([{"fetch": "body"}, {"seed": ["url"]}], "{'seed': ['url']}", "url", 'write "seed"'),
        (["seed", {("fetch", "body"): ["url"]}], "{('fetch', 'body'): ['url']}", "url", 'write {"fetch": "body"}'),
        ([{"seed": ["url"]}, "seed", {"seed": ["url"]}], "{'seed': ['url']}", "url", 'write "seed"'),
        (["seed", {"client": ["url", "body"]}], "{'client': ['url', 'body']}", "url", 'write "client"'),
    ],
    ids=str,
)
def test_a_definition_above_the_first_step_of_an_ancestor_path_is_refused(
    source: Any, step: str, definition: str, instead: str
) -> None:
    reason, path, message = problem(FETCH, flow=flow_of("fetch", url=source))
    assert (reason, path) == ("InvalidSource", "/flow/fetch/inputs/url/0")
    assert message.startswith(f'operation "fetch", parameter "url": {step} in the ancestor path {source} names the ')
    assert f'definition "{definition}", which only the first step of a path can do; {instead}, and give' in message


def test_a_definition_above_the_first_step_of_a_path_of_a_condition_is_refused() -> None:
    flow = {"fetch": InputFlow(conditions=[[{"fetch": "body"}, {"seed": ["url"]}]])}
    reason, path, message = problem(FETCH._replace(conditions=[Definition("body")]), flow=flow)
    assert (reason, path) == ("InvalidSource", "/flow/fetch/conditions/0")
    assert message.startswith('operation "fetch", conditions: ')


def test_conditions_are_sources_too() -> None:
    flow = {"fetch": InputFlow(conditions=["seed", {"fetch": "ok"}, 3])}
    found = problems(FETCH._replace(conditions=[Definition("go", "bool")]), flow=flow)
    assert [(reason, path) for reason, path, _ in found] == [
        ("UnknownOutput", "/flow/fetch/conditions/1"),
        ("InvalidSource", "/flow/fetch/conditions/2"),
    ]


def test_an_output_that_does_not_fit_the_parameter() -> None:
    parse = Operation("parse", inputs={"body": BODY})
    flow = {"parse": InputFlow(inputs={"body": [{"seed": ["body", "url"]}, {"fetch": "body"}, {"fetch": "status"}]})}
    assert problem(FETCH, parse, flow=flow) == (
        "TypeMismatch",
        "/flow/parse/inputs/body/2",
        "fetch.status (int) → parse.body (str): such a value would be refused; convert it in between",
    )


def test_the_elements_of_a_list_may_be_anything() -> None:
    lister = Operation("list", outputs={"out": Definition("many", "array")}, expand=["out"])
    parse = Operation("parse", inputs={"body": BODY})
    compile_plan(DataFlow(lister, parse, flow=flow_of("parse", body={"list": "out"})))
    reason, _, _ = problem(lister._replace(expand=[]), parse, flow=flow_of("parse", body={"list": "out"}))
    assert reason == "TypeMismatch"


CHANGES: list[tuple[str, Any, Any]] = [
    ("primitive", "str", "int"),
    ("lock", False, True),
    ("validate", None, "check"),
    ("dedupe", None, "value"),
]


@pytest.mark.parametrize(("field", "mine", "theirs"), CHANGES)
def test_one_name_has_one_meaning(field: str, mine: Any, theirs: Any) -> None:
    check = Operation("check", inputs={"x": URL._replace(**{field: theirs})}, validator=True)
    use = Operation("use", outputs={"y": URL._replace(**{field: mine})})
    assert problem(check, use, flow={}) == (
        "DefinitionConflict",
        "/operations/use/outputs/y",
        f'the definition "url" has {field} {theirs!r} at /operations/check/inputs/x and {mine!r} here; one name has '
        "one meaning, so rename one of them",
    )


def test_conflicts_are_found_in_conditions_and_seeds() -> None:
    gated = Operation("gated", inputs={"x": URL}, conditions=[URL._replace(primitive="bool")])
    found = problems(gated, seed=[Input(1, URL._replace(primitive="int"))])
    assert [(reason, path) for reason, path, _ in found] == [
        ("DefinitionConflict", "/operations/gated/conditions/0"),
        ("DefinitionConflict", "/seed/0/definition"),
    ]


def test_spellings_defaults_and_specs_may_differ() -> None:
    one = Operation("one", inputs={"x": URL}, outputs={"y": URL._replace(primitive="String", default="a")})
    compile_plan(DataFlow(one))


def test_a_lock_on_too_many_inputs() -> None:
    def locking(count: int) -> Operation:
        return Operation("op", inputs={f"x{at}": Definition(f"d{at}", lock=True) for at in range(count)})

    compile_plan(DataFlow(locking(MAX_LOCKS)))
    assert problem(locking(MAX_LOCKS + 36)) == (
        "TooManyLocks",
        "/operations/op/inputs",
        'operation "op" takes 100 locked definitions, limit 64',
    )


def test_configurations_and_forwarding_name_operations() -> None:
    found = problems(FETCH, configs={"fetc": {}}, forward=Forward({"fet/ch": [URL]}))
    assert [(reason, path) for reason, path, _ in found] == [
        ("UnknownOperation", "/configs/fetc"),
        ("UnknownOperation", "/forward/fet~1ch"),
    ]
    assert all('did you mean "fetch"?' in message for _, _, message in found)


def test_a_data_flow_that_runs_itself() -> None:
    one, two = DataFlow(FETCH), DataFlow(FETCH)
    one.configs["fetch"], two.configs["fetch"] = {"dataflow": two}, {"dataflow": one}
    with pytest.raises(InvalidFlow, match="fetch → fetch → fetch") as caught:
        compile_plan(one)
    assert (caught.value.reason, caught.value.path) == ("SubflowCycle", "/configs/fetch")


# -- validators -----------------------------------------------------------------------------------------------------


def checked(name: str, validator: str) -> Definition:
    return Definition(name, validate=validator)


def test_a_validator_that_does_not_exist() -> None:
    check = Operation(
        "check", inputs={"x": checked("b", "check")}, outputs={"y": checked("b", "check")}, validator=True
    )
    use = Operation("use", inputs={"x": checked("a", "chek")})
    with pytest.raises(ValidatorMissing) as caught:
        compile_plan(DataFlow(check, use))
    (found,) = caught.value.problems
    assert (found.reason, found.path) == ("ValidatorMissing", "/definitions/a/validate")
    assert found.message == '"a" is validated by "chek", which does not exist (has: check); did you mean "check"?'


@pytest.mark.parametrize(
    "more",
    [
        {"seed": [Input(1, checked("a", "use"))]},
        {"definitions": {"a": checked("a", "use")}},
    ],
)
def test_an_operation_that_is_no_validator(more: dict[str, Any]) -> None:
    reason, path, message = problem(Operation("use"), **more)
    assert (reason, path) == ("ValidatorMissing", "/definitions/a/validate")
    assert message == '"a" is validated by "use", which is no validator (there are none)'


@pytest.mark.parametrize(
    ("takes", "said"), [((), "it takes nothing"), (("b",), "it takes b"), (("a", "b"), "it takes a, b")]
)
def test_a_validator_takes_what_it_validates_and_nothing_else(takes: tuple[str, ...], said: str) -> None:
    a = checked("a", "check")
    inputs = {name: a if name == "a" else Definition(name) for name in takes}
    check = Operation("check", inputs=inputs, validator=True)
    reason, path, message = problem(check, Operation("use", inputs={"x": a}))
    assert (reason, path) == ("ValidatorShape", "/definitions/a/validate")
    assert message.endswith(said)


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_validators_that_wait_for_each_other(names: str) -> None:
    definitions = {name: checked(name, f"check_{name}") for name in names}
    following = dict(zip(names, names[1:] + names[0], strict=True))
    operations = [
        Operation(f"check_{name}", inputs={"x": definitions[following[name]]}, validator=True) for name in names
    ]
    found = problems(*operations)
    assert [(reason, path) for reason, path, _ in found] == [
        ("ValidatorCycle", f"/definitions/{name}/validate") for name in names
    ]


# -- all at once ----------------------------------------------------------------------------------------------------


def test_every_name_that_is_wrong_is_told_at_once() -> None:
    flow = {
        "gone": InputFlow(),
        "fetch": InputFlow(inputs={"url": [3, {"no": "x"}, {"score": "x"}], "uri": ["seed"]}),
        "score": InputFlow(inputs={"height": [{"fetch": "x"}]}, conditions=[None]),
    }
    assert [(reason, path) for reason, path, _ in problems(FETCH, SCORE, flow=flow)] == [
        ("UnknownOperation", "/flow/gone"),
        ("UnknownParameter", "/flow/fetch/inputs/uri"),
        ("InvalidSource", "/flow/fetch/inputs/url/0"),
        ("UnknownOperation", "/flow/fetch/inputs/url/1"),
        ("UnknownOutput", "/flow/fetch/inputs/url/2"),
        ("UnknownOutput", "/flow/score/inputs/height/0"),
        ("InvalidSource", "/flow/score/conditions/0"),
    ]


def test_everything_else_that_is_wrong_is_told_at_once() -> None:
    many = {f"x{at}": Definition(f"d{at}", lock=True) for at in range(65)}
    gives = Operation("gives", outputs={"out": STATUS, "again": URL._replace(primitive="int")})
    takes = Operation("takes", inputs={**many, "url": URL, "checked": checked("c", "gone")})
    flow = flow_of("takes", url={"gives": "out"})
    found = problems(gives, takes, flow=flow, configs={"gone": 1})
    assert [reason for reason, _, _ in found] == [
        "DefinitionConflict",
        "TypeMismatch",
        "ValidatorMissing",
        "TooManyLocks",
        "UnknownOperation",
    ]


def test_a_flow_is_an_error_of_the_project() -> None:
    with pytest.raises(TidemillError):
        compile_plan(DataFlow())
