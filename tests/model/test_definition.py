"""Definitions: equal by what they say, hashable whatever their default is, and the same after a trip through a file."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill import NO_DEFAULT, Definition, Input, InvalidInput, TidemillError
from tidemill.model.definition import build_spec, convert, definition_of


class Repo(NamedTuple):
    url: str
    directory: Any = None


@dataclasses.dataclass
class Point:
    y: int
    x: int = 3


class Loose(NamedTuple):
    tags: list[str]
    other: Repo


REPO = Definition("repo", "map", spec=Repo)
words = st.text(min_size=1, max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
definitions = st.builds(
    Definition,
    name=words,
    primitive=st.sampled_from(["string", "int", "map", "array", "generic", "my.own"]),
    default=st.just(NO_DEFAULT) | plain,
    lock=st.booleans(),
    spec=st.sampled_from([None, Repo, Point]),
    subspec=st.booleans(),
    validate=st.none() | words,
    links=st.none() | st.lists(st.builds(Definition, words), max_size=2).map(tuple),
    dedupe=st.sampled_from([None, "value"]),
)


@given(definitions)
def test_a_definition_survives_a_file_with_sorted_keys(definition: Definition) -> None:
    text = json.dumps(definition.export(), sort_keys=True)
    again = Definition._fromdict(**json.loads(text))
    assert again == definition
    assert hash(again) == hash(definition)
    assert json.dumps(again.export(), sort_keys=True) == text


@pytest.mark.parametrize("default", [[], {}, [{"a": set()}], None, 0])
def test_a_definition_is_hashable_whatever_its_default(default: Any) -> None:
    one, other = Definition("a", default=default), Definition("a", default=copy.deepcopy(default))
    assert {one: 1}[other] == 1
    assert one.has_default


CHANGES: list[dict[str, Any]] = [
    {"name": "b"},
    {"primitive": "int"},
    {"default": None},
    {"lock": True},
    {"spec": Repo},
    {"validate": "check"},
    {"validate": str.strip},
    {"links": (Definition("b"),)},
    {"dedupe": "value"},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_any_change_makes_another_definition(change: dict[str, Any]) -> None:
    definition = Definition("a")
    changed = definition._replace(**change)
    assert changed != definition
    assert changed._asdict() == {**definition._asdict(), **change}


def test_a_definition_equals_nothing_else() -> None:
    assert Definition("a") != "a"
    assert repr(Definition("a", "int")) == "a"
    assert Definition("a", links=()) == Definition("a")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_has_no_default_either(copied: Any) -> None:
    assert copied(NO_DEFAULT) is NO_DEFAULT
    assert not copied(Definition("a")).has_default
    assert repr(NO_DEFAULT) == "NO_DEFAULT"


def test_what_is_unset_is_not_exported() -> None:
    assert Definition("a").export() == {"name": "a", "primitive": "generic"}
    assert Definition("a", "int", default=None).export() == {"name": "a", "primitive": "int", "default": None}


def test_a_function_that_validates_cannot_be_exported() -> None:
    with pytest.raises(TidemillError, match="name a validator operation instead") as caught:
        Definition("a/b", validate=str.strip).export()
    assert (caught.value.reason, caught.value.path) == ("NotExportable", "/definitions/a~1b/validate")


@pytest.mark.parametrize(("said", "message"), [({"name": ""}, "non-empty"), ({"name": "a", "dedupe": "no"}, "dedupe")])
def test_a_wrong_definition_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(TidemillError, match=message) as caught:
        Definition(**said)
    assert caught.value.reason == "InvalidDefinition"


@pytest.mark.parametrize("spec", [Repo, Point])
def test_a_spec_comes_back_with_its_types_and_defaults(spec: type[Any]) -> None:
    exported = json.loads(json.dumps(Definition("a", "map", spec=spec).export(), sort_keys=True))
    again = Definition._fromdict(**exported)
    assert again.spec is not None
    assert again.spec.__name__ == spec.__name__
    assert again.export() == exported
    assert again == Definition("a", "map", spec=spec)


def test_a_spec_takes_its_types_from_the_builtins_only() -> None:
    built = build_spec({"name": "Made", "types": {"a": "os.system", "b": "int", "c": "print"}, "defaults": {"a": 1}})
    assert built.__annotations__ == {"b": int, "c": "print", "a": "os.system"}
    assert built(2, 3) == (2, 3, 1)


def test_annotations_that_are_no_plain_types_are_exported_by_name() -> None:
    exported = Definition("a", "map", spec=Loose).export()
    assert exported["spec"]["types"] == {"tags": "list[str]", "other": "Repo"}


@pytest.mark.parametrize(
    ("value", "converted"),
    [
        ({"url": "u"}, Repo("u")),
        (Repo("u"), Repo("u")),
        ("a word", "a word"),
    ],
)
def test_a_mapping_becomes_the_spec(value: Any, converted: Any) -> None:
    assert convert(REPO, value) == converted
    assert type(convert(REPO, value)) is type(converted)


def test_the_elements_of_a_subspec_become_the_spec_once() -> None:
    definition = REPO._replace(primitive="array", subspec=True)
    once = convert(definition, ({"url": "u"}, Repo("v"), 3))
    assert once == [Repo("u"), Repo("v"), 3]
    assert convert(definition, once) == once
    named = convert(definition, {"a": {"url": "u"}, "b": Repo("v")})
    assert named == {"a": Repo("u"), "b": Repo("v")}
    assert convert(definition, named) == named
    assert convert(definition, "a word") == "a word"


def test_without_a_spec_nothing_is_converted() -> None:
    value: dict[str, Any] = {}
    assert convert(Definition("a"), value) is value


@pytest.mark.parametrize("value", [{"uri": "u"}, {}, {"url": "u", 3: 4}])
def test_an_input_that_does_not_fit_its_spec_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match='"repo".*Repo') as caught:
        Input(value, REPO)
    assert (caught.value.reason, caught.value.path) == ("TypeMismatch", "/inputs/repo")


def test_what_null_is_for_a_definition() -> None:
    assert Definition("a").nullable
    assert not Definition("a", "int").nullable
    assert Definition("a", "int", default=None).nullable


def test_definitions_of_annotations() -> None:
    assert definition_of("a", Repo) == Definition("a", "map", spec=Repo)
    assert definition_of("a", Point, default=None) == Definition("a", "map", spec=Point, default=None)
    assert definition_of("a", int, default=3) == Definition("a", "int", default=3)
