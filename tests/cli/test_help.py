"""Help is there for everything, quickly, and its examples work as they stand."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import FLOWS
from tidemill.cli.group import ON_A_CLUSTER, ONLY_ON_A_CLUSTER, VERBS, command_of, tidemill

ELSEWHERE = ("redis://", "tidemill dev")
"""What is in examples that need a store on another machine, or never end: they are only read, and tried where the verb
is."""

SLOW = {
    "redis",
    "msgpack",
    "asyncio",
    "pydantic",
    "rich",
    "yaml",
    "tidemill.model",
    "tidemill.engine",
    "importlib.metadata",
    "http.client",
}


def examples(verb: str, *, cluster: bool = False) -> list[str]:
    """The lines under "Examples:" in the help of a verb."""
    return lines_of(command_of(verb, cluster=cluster).epilog)


def lines_of(epilog: str | None) -> list[str]:
    assert epilog is not None
    section = epilog.split("Examples:\n")[1].split("\n\n")[0]
    return [line.strip() for line in section.splitlines()]


OF_STORES = sorted(set(VERBS) - set(ONLY_ON_A_CLUSTER))
ALL = [*lines_of(tidemill.epilog), *(example for verb in OF_STORES for example in examples(verb))]
ON_CLUSTERS = [example for verb in ON_A_CLUSTER for example in examples(verb, cluster=True)]


def test_help_names_every_verb_the_exit_codes_and_examples(cli: Callable[..., Any]) -> None:
    result = cli("--help")
    assert (result.code, result.err) == (0, "")
    for part in (*VERBS, *VERBS.values(), "130", "Exit codes:", "Examples:"):
        assert part.split()[0] in result.out


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help_with_examples(verb: str, cli: Callable[..., Any]) -> None:
    result = cli(verb, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"Usage: tidemill {verb}" in result.out
    assert VERBS[verb] in " ".join(result.out.split())
    for example in examples(verb):
        assert example in result.out
    for option in ("--verbose", "--quiet", "--help"):
        assert option in result.out


def test_every_verb_has_an_example_and_every_module_of_a_verb_is_listed() -> None:
    assert all(examples(verb) for verb in VERBS)
    folder = Path(sys.modules["tidemill.cli.group"].__file__ or "").parent
    files = {
        **{path.stem: path for path in folder.glob("*.py")},
        **{p.parent.name: p for p in folder.glob("*/__init__.py")},
    }
    with_command = {name for name, path in files.items() if "\ndef command(" in path.read_text()}
    assert with_command == set(VERBS) - set(ONLY_ON_A_CLUSTER)
    on_clusters = {path.stem for path in (folder / "cluster").glob("*.py") if "\ndef command(" in path.read_text()}
    assert on_clusters - {"options"} == set(ON_A_CLUSTER)


@pytest.mark.parametrize("example", ON_CLUSTERS)
def test_the_examples_for_a_cluster_are_read_as_they_stand(example: str) -> None:
    program, verb, *arguments = shlex.split(example)
    assert (program, "-n" in arguments) == ("tidemill", True)
    assert command_of(verb, cluster=True).make_context(verb, arguments).params


@pytest.mark.parametrize("verb", ON_A_CLUSTER)
def test_a_verb_means_a_cluster_where_a_namespace_is_named(verb: str, cli: Callable[..., Any]) -> None:
    for words in (["-n", "mill"], ["-nmill"], ["--namespace", "mill"], ["--namespace=mill"]):
        result = cli(verb, *words, "--help")
        assert (result.code, result.err) == (0, "")
        assert "--token-file" in result.out


@pytest.mark.parametrize("example", [one for one in ALL if any(word in one for word in ELSEWHERE)])
def test_the_examples_that_need_more_than_this_machine_are_read_as_they_stand(example: str) -> None:
    _, verb, *arguments = shlex.split(example)
    read = command_of(verb).make_context(verb, arguments)
    assert read.params


@pytest.mark.parametrize("example", [one for one in ALL if not any(word in one for word in ELSEWHERE)])
def test_the_examples_run_as_they_stand(example: str, process: Callable[..., Any], tmp_path: Path) -> None:
    for path in FLOWS.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = tmp_path / path.relative_to(FLOWS)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    program, *arguments = shlex.split(example)
    assert program == "tidemill"
    result = process(*arguments, cwd=tmp_path)
    assert result.code == 0, result.err
    assert result.out or "-o" in arguments


def test_starting_imports_nothing_that_is_slow() -> None:
    code = (
        "import sys\nfrom tidemill.cli.errors import guarded\n"
        "assert guarded(['--help']) == 0\nprint('loaded', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split("loaded", 1)[1].split())
    assert "click" in loaded
    assert not loaded & SLOW


def test_the_module_can_be_run_too() -> None:
    done = subprocess.run([sys.executable, "-m", "tidemill.cli", "version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("tidemill ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["run"], "Missing argument 'FLOW'"),
        (["run", "f.yaml", "--bogus"], "No such option"),
        (["run", "f.yaml", "--workers", "0"], "0 is not in the range x>=1"),
        (["run", "f.yaml", "--timeout", "soon"], "'soon' is not a valid float"),
        (["run", "f.yaml", "--output", "xml"], "'xml' is not one of 'table', 'json', 'jsonl'"),
        (["completion", "csh"], "'csh' is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str], said: str, cli: Callable[..., Any]) -> None:
    result = cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert "Traceback" not in result.err


def test_no_arguments_show_the_help(cli: Callable[..., Any]) -> None:
    result = cli()
    assert result.code == 2
    assert "Usage: tidemill" in result.err
