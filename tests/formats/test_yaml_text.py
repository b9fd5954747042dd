"""YAML is read by the rules of version 1.2, as plain data, and everything that only some readers accept is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tidemill.errors import InvalidDocument
from tidemill.formats.yaml_text import parse_yaml, yaml_lines_of

PARSERS = [pytest.param(yaml.CSafeLoader, id="c"), pytest.param(yaml.SafeLoader, id="python")]


@pytest.fixture(params=PARSERS)
def parser(request: pytest.FixtureRequest) -> Any:
    return request.param


def refused(text: str, parser: Any) -> tuple[str, str, str]:
    with pytest.raises(InvalidDocument) as caught:
        parse_yaml(text, source="f.yaml", parser=parser)
    return caught.value.reason, caught.value.path, caught.value.message


def test_plain_data_is_read(parser: Any) -> None:
    text = "a: [1, 2.5, ~, true, x]\nb:\n  - {c: 'd'}\n  - |\n    long\n    text\n"
    assert parse_yaml(text, parser=parser) == ({"a": [1, 2.5, None, True, "x"], "b": [{"c": "d"}, "long\ntext\n"]}, ())


def test_a_key_that_is_there_twice_names_both_lines(parser: Any) -> None:
    reason, path, message = refused("operations:\n  a: 1\n  b: 2\n  a: 3\n", parser)
    assert (reason, path) == ("DuplicateKey", "/operations/a")
    assert message == "'a' is defined twice (lines 2, 4); keep one of them (f.yaml, line 4, column 3)"


def test_a_quoted_key_equals_the_plain_one(parser: Any) -> None:
    assert refused('a: 1\n"a": 2\n', parser)[:2] == ("DuplicateKey", "/a")


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [("a: &x 1\nb: 2", "/a", "&x is an anchor"), ("a: [1, *x]", "/a/1", "*x is an alias"), ("&x a: 1", "", "&x is")],
)
def test_anchors_and_aliases_are_refused(text: str, path: str, said: str, parser: Any) -> None:
    reason, where, message = refused(text, parser)
    assert (reason, where) == ("AliasesNotAllowed", path)
    assert message.startswith(said)
    assert "write the value out in place (f.yaml, line 1" in message


def test_a_bomb_of_aliases_is_refused_before_it_is_built(parser: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 12)]
    said = "&a0 is an anchor; write the value out in place (f.yaml, line 1, column 5)"
    assert refused("\n".join(lines), parser) == ("AliasesNotAllowed", "/a0", said)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!mine", "!!binary", "!!set", "!!timestamp", "!<tag:example.org,1:x>"]
)
def test_a_tag_that_asks_for_a_type_is_refused(tag: str, parser: Any) -> None:
    reason, path, message = refused(f"a: {tag} x", parser)
    assert (reason, path) == ("TagNotAllowed", "/a")
    assert "only plain data is read" in message


def test_tags_of_plain_data_are_taken(parser: Any) -> None:
    assert parse_yaml("a: !!str 012\nb: !!map {}\nc: !!seq []", parser=parser) == ({"a": "012", "b": {}, "c": []}, ())


def test_merging_is_refused(parser: Any) -> None:
    assert refused("a: {<<: {b: 1}}", parser)[:2] == ("MergeKeyNotAllowed", "/a")


@pytest.mark.parametrize(("opening", "step"), [("[", "/0"), ("{a: ", "/a"), ("- ", "/0")])
def test_nesting_nine_thousand_deep_is_refused_without_recursion(opening: str, step: str, parser: Any) -> None:
    reason, path, message = refused(opening * 9000, parser)
    assert (reason, path) == ("TooDeep", step * 64)
    assert message.startswith("lists and mappings nest deeper than 64 levels (f.yaml, line 1")


@pytest.mark.parametrize(
    ("scalar", "value", "others"),
    [
        ("no", "no", "a boolean"),
        ("Yes", "Yes", "a boolean"),
        ("off", "off", "a boolean"),
        ("012", 12, "another number"),
        ("1:20", "1:20", "another number"),
        ("1_000", "1_000", "another number"),
        ("0b1", "0b1", "another number"),
        ("2026-01-01", "2026-01-01", "a date"),
        ("1e3", 1000.0, "text"),
        ("0o17", 15, "text"),
    ],
)
def test_a_scalar_of_two_meanings_is_read_by_the_newer_rules_and_warned_about(
    scalar: str, value: object, others: str, parser: Any
) -> None:
    read, warnings = parse_yaml(f"seed:\n  - value: {scalar}\n", source="f.yaml", parser=parser)
    assert read == {"seed": [{"value": value}]}
    assert type(read["seed"][0]["value"]) is type(value)
    (warning,) = warnings
    assert (warning.reason, warning.path) == ("ImplicitType", "/seed/0/value")
    assert warning.message.startswith(f"{scalar} is read as ")
    assert f'others take it as {others}; write "{scalar}" for text (f.yaml, line 2)' in warning.message


@pytest.mark.parametrize("scalar", ['"no"', "'012'", "0", "-1", "0x1F", "1.5", "1.0e+3", "null", "~", "True", "x"])
def test_what_all_readers_take_alike_is_not_warned_about(scalar: str, parser: Any) -> None:
    assert parse_yaml(f"a: {scalar}", parser=parser)[1] == ()


def test_the_kinds_of_numbers_are_those_of_version_1_2(parser: Any) -> None:
    text = "[0x1F, -7, +7, .5, -1.5e-3, 3., 0]"
    assert parse_yaml(text, parser=parser)[0] == [31, -7, 7, 0.5, -0.0015, 3.0, 0]


def test_keys_are_text_and_odd_ones_are_warned_about(parser: Any) -> None:
    value, warnings = parse_yaml("1: a\non: b\n'2': c\n", parser=parser)
    assert value == {"1": "a", "on": "b", "2": "c"}
    assert [(each.reason, each.path) for each in warnings] == [("ImplicitType", "/1"), ("ImplicitType", "/on")]


def test_a_list_as_a_key_is_refused(parser: Any) -> None:
    reason, _, message = refused("? [a]\n: b", parser)
    assert reason == "KeyNotText"
    assert message.startswith("a list or mapping cannot be a key; keys are text")


@pytest.mark.parametrize("scalar", [".nan", ".inf", "-.Inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused(scalar: str, parser: Any) -> None:
    reason, path, message = refused(f"a:\n  b: {scalar}", parser)
    assert (reason, path) == ("NotFinite", "/a/b")
    assert "give a finite number" in message
    assert "(f.yaml, line 2, column 6)" in message


def test_an_integer_of_too_many_digits_is_refused(parser: Any) -> None:
    assert refused("a: " + "9" * 5000, parser)[:2] == ("IntegerOutOfRange", "/a")


@pytest.mark.parametrize("pair", ["\\ud800", "\\ud83d\\ude00"])
def test_half_a_surrogate_pair_is_refused(pair: str, parser: Any) -> None:
    if parser is yaml.CSafeLoader:  # the parsers notice it at different times
        path, said = "f.yaml:1:7", "the escape is no character; write characters above U+FFFF as \\U0001F600"
    else:
        path = "/a"
        said = f"'{pair}' holds half a surrogate pair, which is no character (f.yaml, line 1, column 4)"
    assert refused(f'a: "{pair}"', parser) == ("InvalidUnicode", path, said)


def test_half_a_surrogate_pair_as_a_whole_document_is_refused(parser: Any) -> None:
    assert refused('"\\udfff"', parser)[0] == "InvalidUnicode"


def test_a_control_character_is_refused_with_its_place(parser: Any) -> None:
    assert refused("a: 1\nb: \x00", parser) == (
        "MalformedYaml",
        "f.yaml:2:4",
        "character #x0000 is not allowed in YAML; write it as an escape in double quotes",
    )


def test_a_tab_that_indents_is_named(parser: Any) -> None:
    reason, path, message = refused("a:\n\t- b", parser)
    assert (reason, path) == ("MalformedYaml", "f.yaml:2:1")
    assert message.startswith("a tab cannot indent; use spaces")


@pytest.mark.parametrize("text", ["a: b: c", "a: [1,", 'a: "x\nb: 1', "a: 'x", "- a\nb: c"])
def test_text_that_is_no_yaml_names_line_and_column(text: str, parser: Any) -> None:
    reason, path, message = refused(text, parser)
    assert reason == "MalformedYaml"
    assert path.startswith("f.yaml:")
    line, column = path.split(":")[1:]
    assert f"(line {line}, column {column})" in message


def test_a_second_document_is_refused(parser: Any) -> None:
    assert refused("--- a\n--- b\n", parser) == (
        "MultipleDocuments",
        "",
        "a second document begins here; one file holds one document, or objects of Kubernetes "
        "(f.yaml, line 2, column 1)",
    )


OTHER = "apiVersion: v1\nkind: ConfigMap\ndata: {no: no}\n"
OURS = "apiVersion: tidemill.alt/v1alpha1\nkind: DataFlow\nspec:\n  at: no\n"


@pytest.mark.parametrize("text", [f"{OTHER}---\n{OURS}", f"{OURS}---\n{OTHER}", f"{OURS}---\n", f"--- # one\n{OURS}"])
def test_of_several_objects_the_data_flow_is_read(text: str) -> None:
    value, warnings = parse_yaml(text, source="f.yaml")
    assert (value["kind"], value["spec"]) == ("DataFlow", {"at": "no"})
    assert [warning.path for warning in warnings] == ["/spec/at"]
    line = text.splitlines().index("  at: no") + 1
    assert yaml_lines_of(text, ["/spec/at", "/data/no"]) == {"/spec/at": line}
    assert f"f.yaml, line {line}" in warnings[0].message


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        (f"{OURS}---\n{OTHER}---\n{OURS}", "of 3 objects 2 are a DataFlow; one file holds one", 5),
        (f"{OTHER}---\n{OTHER}", "of 2 objects none are a DataFlow; one file holds one", 4),
        (f"{OURS}---\na: 1\n---\n{OTHER}", "a second document begins here", 7),
    ],
)
def test_objects_of_which_none_or_several_are_data_flows(text: str, said: str, line: int) -> None:
    with pytest.raises(InvalidDocument, match=said) as caught:
        parse_yaml(text, source="f.yaml")
    assert caught.value.reason == "MultipleDocuments"
    assert f"(f.yaml, line {line}, column 1)" in caught.value.message


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_nothing_is_no_document(text: str, parser: Any) -> None:
    assert refused(text, parser)[:2] == ("EmptyDocument", "f.yaml:1")


def test_an_empty_document_is_null(parser: Any) -> None:
    assert parse_yaml("---\n", parser=parser) == (None, ())


def test_the_lines_of_values_are_found_as_far_as_the_text_is_yaml() -> None:
    text = "a:\n  - 1\n  - b/c: 2\nd: {}\ne: [*x]\n"
    found = yaml_lines_of(text, ["", "/a", "/a/0", "/a/1/b~1c", "/d", "/nowhere", "/e/0"])
    assert found == {"": 1, "/a": 2, "/a/0": 2, "/a/1/b~1c": 3, "/d": 4}
    assert yaml_lines_of("a: 1\nb: [", ["/a"]) == {"/a": 1}
