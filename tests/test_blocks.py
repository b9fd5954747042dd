"""Every block of the documentation is run by a test, or it is in the list below, with what is seen to of it here.

Who runs what: tests/test_docs.py pages in Python, tests/test_migrating.py pages of steps, tests/test_readme.py the
README, tests/examples/tutorial the ladder, tests/compat/test_differences.py the programs beside DFFML's, tests/e2e what
says that it needs a cluster. What can be run nowhere (it wants a registry, a domain, an index of packages) is read: its
program knows the words, and its files are there.
"""

import ast
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import tidemill
from tests import test_docs, test_migrating, test_project
from tests.charts.rendering import with_values
from tidemill.cli.group import ON_A_CLUSTER, VERBS, command_of
from tidemill_operator.kinds.objects import read_object
from tools.site_pages import NAVIGATION

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    {*ROOT.glob("docs/**/*.md"), ROOT / "README.md"}
    | {ROOT / page for pages in NAVIGATION.values() for page in pages if page != "CHANGELOG.md"}
)
BLOCK = re.compile(r"^(?:<!-- (?P<needs>[a-z]+)(?:: \S+)? -->\n)?```(?P<language>\S*)\n(?P<text>.*?)^```$", re.M | re.S)

NOT_RUN = {
    "README.md": {"read": 3, "drawn": 1},
    "CONTRIBUTING.md": {"read": 1},
    "charts/tidemill/README.md": {"read": 1},
    "docs/api.md": {"read": 1},
    "docs/architecture.md": {"shown": 2},
    "docs/dataflow.md": {"read": 1},
    "docs/decisions/0002-layers.md": {"shown": 1},
    "docs/dffml-examples.md": {"read": 1},
    "docs/dffml.md": {"read": 1},
    "docs/journal.md": {"read": 2},
    "docs/migrating.md": {"cluster": 1, "read": 1},
    "docs/running.md": {"read": 4},
    "docs/tutorial/10-kubernetes.md": {"cluster": 3},
    "examples/kubernetes/README.md": {"cluster": 1},
    "examples/kubernetes/image/README.md": {"read": 1},
    "examples/shouldi/README.md": {"read": 2, "shown": 1, "drawn": 1},
}
"""Blocks that are not run here: those on a cluster are in tests/e2e; what is read, drawn or shown has a test below."""

SAMPLES = "examples/kubernetes/README.md"
PROGRAMS = ("make", "tidemill", "kubectl", "helm", "kind", "docker", "python", "for", ".ci/run", "cd")


def blocks(page: Path) -> Iterator[re.Match[str]]:
    text = page.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    assert len(re.findall(r"^```", text, re.M)) == 2 * len(found), f"{page}: a block that does not end"
    yield from found


def fate(page: Path, block: re.Match[str]) -> str:
    """Say what becomes of a block: run, cluster, read, drawn, or only shown."""
    name, language = page.relative_to(ROOT).as_posix(), block["language"]
    if language in ("mermaid", "{eval-rst}"):
        return "drawn"
    if block["needs"] in ("cluster", "elsewhere"):
        return "cluster" if block["needs"] == "cluster" else "read"
    if language in ("python", "text") and page in test_docs.PAGES:
        return "run"
    followed = page.parent == ROOT / "docs" and page.stem in test_migrating.PAGES
    console = followed or name in ("README.md", SAMPLES) or page.parent == ROOT / "docs" / "tutorial"
    if language == "dffml" or page.name == "index.md" or (console and language in ("console", "py", "python", "yaml")):
        return "run"
    first = re.split(r"\s", block["text"].removeprefix("$ "), maxsplit=1)[0]
    return "read" if first in PROGRAMS or language in ("yaml", "py") else "shown"


def test_what_is_not_run_is_in_the_list() -> None:
    found = {page.relative_to(ROOT).as_posix(): Counter(fate(page, block) for block in blocks(page)) for page in PAGES}
    rest = {page: {how: number for how, number in each.items() if how != "run"} for page, each in found.items()}
    assert {page: each for page, each in rest.items() if each} == NOT_RUN
    assert sum(each["run"] for each in found.values()) > 100


def read_commands() -> Iterator[tuple[str, str]]:
    """Each command that is only read, with its page; what follows a # is a remark."""
    for page in PAGES:
        for block in blocks(page):
            if fate(page, block) == "read" and block["language"] in ("", "console"):
                text = block["text"].replace("\\\n", " ")
                lines = [line.removeprefix("$ ") for line in text.splitlines() if line.strip()]
                for line in lines:
                    for part in re.split(r" && ", re.sub(r"\s# .*|\s{2,}#.*", "", line)):
                        yield page.relative_to(ROOT).as_posix(), part.strip()


COMMANDS = list(read_commands())


def of(*programs: str) -> list[tuple[str, str]]:
    return [(page, command) for page, command in COMMANDS if command.split()[0] in programs]


def test_each_command_that_is_only_read_has_somebody_who_reads_it() -> None:
    known = {command for _, command in of("make", "tidemill", "kubectl", "helm", "kind", "docker", "python", "cd")}
    assert {command for _, command in COMMANDS} - known == {
        ".ci/run",
        "for name in tidemill-operator tidemill-worker; do",
        "done",
    }


@pytest.mark.parametrize(("page", "command"), of("tidemill"))
def test_tidemill_has_such_a_verb_with_these_options(
    page: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "flows").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEMILL_BACKEND", "redis://host:6379")  # as the page says before
    _, verb, *arguments = shlex.split(command)
    assert verb in VERBS
    found = command_of(verb, cluster="-n" in arguments and verb in ON_A_CLUSTER)
    assert found.make_context(verb, arguments).params


@pytest.mark.parametrize(("page", "command"), of("make"))
def test_make_has_such_a_target(page: str, command: str) -> None:
    assert command.split()[1] in test_project.targets()


@pytest.mark.parametrize(("page", "command"), of("helm"))
def test_the_chart_takes_such_values(page: str, command: str) -> None:
    words = shlex.split(command)
    assert words[1] in ("install", "upgrade", "uninstall")
    values = [value for before, value in zip(words, words[1:], strict=False) if before == "--set"]
    assert "charts/tidemill" in words or words[1] == "uninstall"
    if words[1] != "uninstall":
        assert with_values(*values)


@pytest.mark.parametrize(("page", "command"), [*of("kubectl"), *of("kind"), *of("docker"), *of("python"), *of("cd")])
def test_the_files_that_a_command_names_are_there(page: str, command: str) -> None:
    for word in shlex.split(command):
        if re.fullmatch(r"(?:examples|manifests|charts|tools|kind-config)[\w./-]*", word):
            assert (ROOT / word).exists(), word


def test_the_samples_run_as_their_page_says() -> None:
    [text] = [block["text"] for block in blocks(ROOT / SAMPLES) if block["needs"] is None]
    for command, printed in test_migrating.commands(text):
        assert (command.split()[0], printed) == ("tidemill", "")
        typed = [sys.executable, "-m", "tidemill.cli", *command.split()[1:]]
        assert " ok " in subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout


def test_a_program_that_needs_a_cluster_has_names_that_there_are() -> None:
    [text] = [block["text"] for block in blocks(ROOT / "docs" / "dffml.md") if block["language"] == "py"]
    compile(text, "dffml.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert [name for name in re.findall(r"dffml\.(\w+)", text) if not hasattr(tidemill, name)] == []


def test_inputs_are_what_an_object_takes() -> None:
    [text] = [block["text"] for block in blocks(ROOT / "docs" / "dataflow.md") if block["language"] == "yaml"]
    made = yaml.safe_load((ROOT / "examples" / "dataflow.yaml").read_text(encoding="utf-8").split("---")[1])
    made["spec"] |= yaml.safe_load(text)
    assert len(read_object(made).spec.inputs) == 2


def test_a_block_that_nobody_runs_is_noticed() -> None:
    page = ROOT / "docs" / "serving.md"
    assert [fate(page, block) for block in BLOCK.finditer("```console\n$ tidemill version\n```\n")] == ["run"]
    assert [fate(page, block) for block in BLOCK.finditer("```\n$ tidemill version\n```\n")] == ["read"]
    assert [fate(page, block) for block in BLOCK.finditer("```\n│ a drawing\n```\n")] == ["shown"]
