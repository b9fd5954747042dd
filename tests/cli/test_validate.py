"""`validate` finds what is wrong with a data flow: reason, path into the file, line, what was expected, what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

HEAD = "linked: true\ndefinitions:\n"
FETCH = "operations:\n  fetch: {name: m:fetch, inputs: {url: URL}, outputs: {body: body, status: status}}\n"
DEFINITIONS = "  URL: {primitive: string}\n  body: {primitive: string}\n  status: {primitive: int}\n"
SCORE = "  score: {name: m:score, inputs: {height: status, width: status}}\n"
BASE = HEAD + DEFINITIONS + FETCH


@pytest.fixture
def findings(
    cli: Callable[..., Any], tmp_path: Path
) -> Callable[..., tuple[int, list[dict[str, str]], list[dict[str, str]]]]:
    """Validate a text as f.yaml, and return (exit code, errors, warnings) as the JSON report has them."""

    def validate(text: str | bytes, *options: str) -> tuple[int, list[dict[str, str]], list[dict[str, str]]]:
        (tmp_path / "f.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        result = cli("validate", "f.yaml", "--output", "json", *options, cwd=tmp_path)
        assert result.err == ""
        report = json.loads(result.out)
        assert report["valid"] == (not report["errors"])
        return result.code, report["errors"], report["warnings"]

    return validate


Findings = Callable[..., tuple[int, list[dict[str, str]], list[dict[str, str]]]]


@pytest.fixture
def error(findings: Findings) -> Callable[[str | bytes], tuple[str, str, str]]:
    """The only error of a text: (reason, path, message)."""

    def validate(text: str | bytes) -> tuple[str, str, str]:
        code, (only,), _ = findings(text)
        assert code == 3
        return only["reason"], only["path"], only["message"]

    return validate


@pytest.fixture
def warning(findings: Findings) -> Callable[[str], tuple[str, str, str]]:
    """The only warning about a text: (reason, path, message)."""

    def validate(text: str) -> tuple[str, str, str]:
        code, errors, (only,) = findings(text)
        assert (code, errors) == (0, [])
        return only["reason"], only["path"], only["message"]

    return validate


One = Callable[..., tuple[str, str, str]]


def test_a_valid_file_is_said_to_be(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(BASE)
    result = cli("validate", "f.yaml")
    assert (result.code, result.out, result.err) == (0, "f.yaml: valid, 1 operation, 0 errors, 0 warnings\n", "")
    assert cli("validate", "f.yaml", "-q").out == ""


def test_the_report_has_the_digest_and_the_operations(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(BASE)
    report = json.loads(cli("validate", "f.yaml", "-o", "json").out)
    assert report["digest"].startswith("sha256:")
    assert report["operations"] == ["fetch"]


def test_operations_that_are_missing(error: One) -> None:
    assert error("seed: []\n") == (
        "MissingField", "/operations", '"operations" is missing, it is required here (f.yaml, line 1)',
    )  # fmt: skip


def test_operations_that_are_a_list(error: One) -> None:
    assert error("operations: [a]\n") == (
        "TypeMismatch", "/operations", "expected a mapping, got list ['a'] (f.yaml, line 1)",
    )  # fmt: skip


def test_no_operations(error: One) -> None:
    assert error("seed: []\noperations: {}\n") == (
        "NoOperations", "/operations", "a data flow has at least one operation (f.yaml, line 2)",
    )  # fmt: skip


def test_a_flow_that_names_an_unknown_operation(error: One) -> None:
    reason, path, message = error(BASE + "flow:\n  fetch: {inputs: {url: [seed]}}\n  fech: {}\n")
    assert (reason, path) == ("UnknownOperation", "/flow/fech")
    assert message.endswith('(has: fetch); did you mean "fetch"? (f.yaml, line 10)')


def test_a_flow_that_names_an_unknown_parameter(error: One) -> None:
    text = BASE + SCORE + "flow:\n  score:\n    inputs:\n      hieght: [seed]\n"
    assert error(text) == (
        "UnknownParameter",
        "/flow/score/inputs/hieght",
        'operation "score" has no parameter "hieght" (has: height, width); did you mean "height"? (f.yaml, line 12)',
    )


def test_a_source_that_names_an_unknown_output(error: One) -> None:
    text = BASE + SCORE + "flow:\n  score: {inputs: {height: [{fetch: bdy}], width: [seed]}}\n"
    reason, path, message = error(text)
    assert (reason, path) == ("UnknownOutput", "/flow/score/inputs/height/0")
    assert message == '"fetch" has no output "bdy" (has: body, status); did you mean "body"? (f.yaml, line 10)'


def test_a_parameter_without_a_source(warning: One) -> None:
    text = BASE + SCORE + "flow:\n  fetch: {inputs: {url: [seed]}}\n  score: {inputs: {width: [seed]}}\n"
    reason, path, message = warning(text)
    assert (reason, path) == ("UnboundParameter", "/flow/score/inputs/height")
    assert message == "score.height has no source and no default; it would never run (f.yaml, line 11)"


def test_types_that_do_not_fit(error: One) -> None:
    parse = "  parse: {name: m:parse, inputs: {body: body}}\n"
    reason, path, message = error(BASE + parse + "flow:\n  parse: {inputs: {body: [{fetch: status}]}}\n")
    assert (reason, path) == ("TypeMismatch", "/flow/parse/inputs/body/0")
    assert message.startswith("fetch.status (int) → parse.body (string): such a value would be refused")


def test_two_definitions_of_one_name(error: One) -> None:
    text = "operations:\n"
    text += "  a: {name: a, inputs: {x: {name: size, primitive: int}}}\n"
    text += "  b: {name: b, inputs: {x: {name: size, primitive: string}}}\n"
    reason, path, message = error(text)
    assert (reason, path) == ("DefinitionConflict", "/operations/b/inputs/x")
    assert "\"size\" has primitive 'int' at /operations/a/inputs/x and 'str' here" in message
    assert message.endswith("(f.yaml, line 3)")


@pytest.mark.parametrize(
    ("written", "name", "said"),
    [
        ("a\\nb", "a\nb", "the name holds characters that cannot be seen: U+000A; it is 'a\\nb'"),
        ("\\u202e", "\u202e", "the name holds characters that cannot be seen: U+202E; it is '\\u202e'"),
        (
            "x" * 300,
            "x" * 300,
            f"the name has 300 characters, the limit is 253; it is '{'x' * 199}… (302 characters)",
        ),
    ],
    ids=["line", "direction", "long"],
)
def test_a_name_that_no_operation_can_have(written: str, name: str, said: str, error: One) -> None:
    text = f'operations:\n  "{written}": {{name: a}}\n'
    assert error(text) == ("InvalidName", f"/operations/{name}", f"{said} (f.yaml, line 2)")


def test_a_name_that_looks_like_a_path_is_only_a_name(findings: Findings) -> None:
    assert findings("operations:\n  ../../etc/passwd: {name: ../../etc/passwd}\n") == (0, [], [])


def test_an_operation_that_is_not_installed_is_found_when_asked_for(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("operations:\n  a: {name: os.system}\n")
    assert cli("validate", "f.yaml").code == 0
    result = cli("validate", "f.yaml", "--load")
    assert result.code == 4
    assert result.err.startswith("error: OperationLoadError at /operations/a\n")
    assert 'no package announces an operation "os.system"' in result.err


def test_three_hundred_operations_are_fine(findings: Findings) -> None:
    assert findings("operations:\n" + "".join(f"  a{at}: {{name: a}}\n" for at in range(300))) == (0, [], [])


def test_an_unknown_field(error: One) -> None:
    reason, path, message = error(BASE + "bogus: 1\n")
    assert (reason, path) == ("UnknownField", "/bogus")
    assert message == (
        "there is no field 'bogus' here (has: configs, definitions, flow, forward, inputs, limits, linked, operations, "
        "seed) (f.yaml, line 8)"
    )


def test_a_key_that_is_there_twice(error: One) -> None:
    assert error(BASE + "seed: []\noperations: {}\n") == (
        "DuplicateKey",
        "/operations",
        "'operations' is defined twice (lines 6, 9); keep one of them (f.yaml, line 9, column 1)",
    )  # fmt: skip


def test_a_bomb_of_aliases(error: One) -> None:
    lines = ["a0: &a0 [x, x, x, x]", *(f"a{at}: &a{at} [*a{at - 1}, *a{at - 1}, *a{at - 1}]" for at in range(1, 40))]
    said = "&a0 is an anchor; write the value out in place (f.yaml, line 1, column 5)"
    assert error("\n".join(lines)) == ("AliasesNotAllowed", "/a0", said)


def test_a_data_flow_that_holds_itself(error: One) -> None:
    text = "&a\noperations:\n  sub: {name: dffml.dataflow.run}\nconfigs:\n  sub: {dataflow: *a}\n"
    said = "&a is an anchor; write the value out in place (f.yaml, line 1, column 1)"
    assert error(text) == ("AliasesNotAllowed", "", said)


@pytest.mark.parametrize("scalar", ["no", "012", "1:20", "2026-01-01"])
def test_a_value_that_readers_of_yaml_take_differently(scalar: str, findings: Findings) -> None:
    code, errors, (only,) = findings(f"{BASE}configs:\n  fetch: {{mode: {scalar}}}\n")
    assert (code, errors) == (0, [])
    assert (only["reason"], only["path"]) == ("ImplicitType", "/configs/fetch/mode")
    assert only["message"].startswith(f"{scalar} is read as ")
    assert only["message"].endswith(f'write "{scalar}" for text (f.yaml, line 9)')


@pytest.mark.parametrize(
    ("scalar", "said"),
    [
        (".nan", ".nan is not a finite number; give a finite number or null"),
        ("-.inf", "-.inf is not a finite number; give a finite number or null"),
        ("1e999", "'1e999' is larger than any float; give a finite number"),
    ],
)
def test_a_seed_that_is_not_finite(scalar: str, said: str, error: One) -> None:
    text = f"{BASE}seed:\n- {{definition: status, value: {scalar}}}\n"
    assert error(text) == ("NotFinite", "/seed/0/value", f"{said} (f.yaml, line 9, column 31)")


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        ("null", "NullValue", 'null is no value of "status" (int); leave it out to take its default'),
        ('"12"', "TypeMismatch", "\"status\": expected int, got str '12'"),
        ("1.0", "TypeMismatch", '"status": expected int, got float 1.0'),
        ("true", "TypeMismatch", '"status": expected int, got bool True'),
    ],
)
def test_a_seed_that_is_not_of_its_definition(value: str, reason: str, said: str, error: One) -> None:
    text = f"{BASE}seed:\n- definition: status\n  value: {value}\n"
    assert error(text) == (reason, "/seed/0/value", f"{said} (f.yaml, line 10)")


def test_a_null_seed_of_a_definition_that_may_be_null(findings: Findings) -> None:
    text = BASE.replace("status: {primitive: int}", "status: {primitive: int, default: null}")
    assert findings(f"{text}seed: [{{definition: status, value: null}}]\n") == (0, [], [])


def test_bytes_that_are_not_utf_8(error: One) -> None:
    assert error(BASE.encode() + b"# \xff\n") == (
        "InvalidUnicode", "f.yaml:8", "byte 0xff at offset 206 is not UTF-8; save the file as UTF-8",
    )  # fmt: skip


def test_half_a_surrogate_pair(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"operations": {}, "configs": {"a": "\\ud800"}}')
    result = cli("validate", "f.json", "-o", "json")
    (only,) = json.loads(result.out)["errors"]
    assert (result.code, only["reason"], only["path"]) == (3, "InvalidUnicode", "/configs/a")
    said = "holds half a surrogate pair, which is no character (f.json, line 1, column 37)"
    assert only["message"] == f"'\\ud800' {said}"


@pytest.mark.parametrize("name", ["f.yaml", "f.json"])
def test_nesting_nine_thousand_deep(name: str, cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"configs": {"a": ' + "[" * 9000 + "]" * 9000 + "}}")
    result = cli("validate", name, "-o", "json")
    (only,) = json.loads(result.out)["errors"]
    assert (result.code, only["reason"]) == (3, "TooDeep")
    assert only["path"] == "/configs/a" + "/0" * 62
    assert "nest deeper than 64 levels" in only["message"]


@pytest.mark.parametrize(
    ("limit", "reason", "said"),
    [
        ("0", "InvalidValue", "expected greater than or equal to 1; it is int 0"),
        ('"10"', "TypeMismatch", "expected a whole number, got str '10'"),
        ("1.0e+12", "TypeMismatch", "expected a whole number, got float 1000000000000.0"),
    ],
)
def test_limits_that_are_no_numbers_of_one_or_more(limit: str, reason: str, said: str, error: One) -> None:
    assert error(f"{BASE}limits:\n  parameter_sets: {limit}\n") == (
        reason, "/limits/parameter_sets", f"{said} (f.yaml, line 9)",
    )  # fmt: skip


def test_an_operation_that_feeds_itself(warning: One) -> None:
    text = f"{HEAD}{DEFINITIONS}operations:\n  grow: {{name: m:grow, inputs: {{url: URL}}, outputs: {{more: URL}}}}\n"
    text += "flow:\n  grow: {inputs: {url: [seed, {grow: more}]}}\n"
    reason, path, message = warning(text)
    assert (reason, path) == ("UnboundedCycle", "/flow/grow")
    assert message.startswith("grow → grow feeds itself")
    assert message.endswith("(f.yaml, line 9)")


def test_too_many_locks(error: One) -> None:
    definitions = "".join(f"  d{at}: {{primitive: int, lock: true}}\n" for at in range(100))
    inputs = ", ".join(f"p{at}: d{at}" for at in range(100))
    reason, path, message = error(f"{HEAD}{definitions}operations:\n  a: {{name: a, inputs: {{{inputs}}}}}\n")
    assert (reason, path) == ("TooManyLocks", "/operations/a/inputs")
    assert 'operation "a" takes 100 locked definitions, limit 64' in message


def test_a_condition_that_is_no_boolean(warning: One) -> None:
    text = BASE + "  next: {name: m:next, conditions: [status]}\n"
    reason, path, message = warning(text)
    assert (reason, path) == ("ConditionType", "/operations/next/conditions/0")
    assert message.startswith('the condition "status" of "next" is a int, not a bool: any value')


def test_validators_that_wait_for_each_other(findings: Findings) -> None:
    text = HEAD + "  a: {primitive: int, validate: check_b}\n  b: {primitive: int, validate: check_a}\noperations:\n"
    text += "  check_a: {name: m:a, validator: true, inputs: {x: a}, outputs: {y: a}}\n"
    text += "  check_b: {name: m:b, validator: true, inputs: {x: b}, outputs: {y: b}}\n"
    code, errors, _ = findings(text)
    assert code == 3
    assert {each["reason"] for each in errors} == {"ValidatorCycle"}
    assert {each["path"] for each in errors} == {"/definitions/a/validate", "/definitions/b/validate"}


def test_a_validator_that_does_not_exist(error: One) -> None:
    text = HEAD + "  a: {primitive: int, validate: chek}\noperations:\n"
    text += "  check: {name: m:a, validator: true, inputs: {x: a}, outputs: {y: a}}\n"
    reason, path, message = error(text)
    assert (reason, path) == ("ValidatorMissing", "/definitions/a/validate")
    assert 'did you mean "check"?' in message


@pytest.mark.parametrize(
    ("text", "reason", "path"),
    [
        ("", "EmptyDocument", "f.yaml:1"),
        ("--- {}\n--- {}\n", "MultipleDocuments", ""),
        ("a: !!python/object/apply:os.system [x]\n", "TagNotAllowed", "/a"),
        ("a:\n\t- b", "MalformedYaml", "f.yaml:2:1"),
        ("[]", "TypeMismatch", ""),
    ],
)
def test_documents_that_say_no_data_flow(text: str, reason: str, path: str, error: One) -> None:
    assert error(text)[:2] == (reason, path)


def test_the_wrapper_of_kubernetes_is_read(findings: Findings) -> None:
    spec = yaml.safe_load(BASE)
    document = {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlow", "metadata": {"name": "n"}, "spec": spec}
    assert findings(yaml.safe_dump(document)) == (0, [], [])
    spec["flow"] = {"fetch": {"inputs": {"uri": ["seed"]}}}
    code, errors, _ = findings(yaml.safe_dump(document))
    assert (code, [each["path"] for each in errors]) == (3, ["/spec/flow/fetch/inputs/uri"])


def test_warnings_can_count_as_errors(findings: Findings) -> None:
    text = BASE + "configs:\n  fetch: {mode: no}\n"
    assert findings(text)[0] == 0
    assert findings(text, "--warnings-as-errors")[0] == 1


def test_text_for_people_has_blocks_of_reason_path_and_message(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(BASE + "bogus: 1\nseed: 3\n")
    result = cli("validate", "f.yaml")
    assert (result.code, result.out) == (3, "f.yaml: invalid: 2 errors, 0 warnings\n")
    assert result.err.splitlines() == [
        "error: UnknownField at /bogus",
        "  there is no field 'bogus' here (has: configs, definitions, flow, forward, inputs, limits, linked, "
        "operations, seed) (f.yaml, line 8)",
        "error: TypeMismatch at /seed",
        "  expected a list, got int 3 (f.yaml, line 9)",
    ]


def test_many_problems_are_counted_and_not_all_printed(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("operations: {}\n" + "".join(f"x{at}: 1\n" for at in range(100)))
    result = cli("validate", "f.yaml")
    assert result.err.count("UnknownField") == 20
    assert result.err.endswith("error: … and 80 more\n")


def test_a_name_cannot_move_the_cursor_or_forge_a_line(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text('operations: {}\n"\\e[2Jx\\nerror: forged\\u202e": 1\n')
    result = cli("validate", "f.yaml")
    assert result.code == 3
    assert "\x1b" not in result.err
    assert "\u202e" not in result.err
    assert not any(line.startswith("error: forged") for line in result.err.splitlines())
