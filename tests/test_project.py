"""What the project says about itself is true: commands, targets, links, dependencies, versions, public names."""

import importlib
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

import tidemill
import tidemill.errors

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads(PYPROJECT)
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PLAIN = {"PATH": os.environ["PATH"]}  # a make that runs these tests must not pass its flags on
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md", "operator/*.md", "worker/*.md")
    for path in ROOT.glob(pattern)
)


def make(*arguments: str) -> str:
    result = subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=PLAIN,
    )
    return result.stdout


def targets() -> set[str]:
    """Every target that a person may ask for: those with a plain name."""
    return set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def requirements() -> Iterator[str]:
    """Every requirement that pyproject.toml writes down, wherever it stands."""
    yield from PROJECT["build-system"]["requires"]
    yield from PROJECT["project"]["dependencies"]
    for group in [*PROJECT["project"]["optional-dependencies"].values(), *PROJECT["dependency-groups"].values()]:
        yield from (item for item in group if isinstance(item, str))


def locked(extra: str | None = None) -> set[str]:
    """The names of all that an installation of tidemill with one extra brings along, as uv.lock has it."""
    packages = {package["name"]: package for package in LOCK["package"]}
    found: set[str] = set()
    todo = list(packages["tidemill"]["dependencies"])
    todo += packages["tidemill"]["optional-dependencies"][extra] if extra else []
    while todo:
        wanted = todo.pop()
        package = packages[wanted["name"]]
        if wanted["name"] not in found:
            found.add(wanted["name"])
            todo += package.get("dependencies", []) if wanted["name"] != "tidemill" else []
        for name in wanted.get("extra", []):
            todo += package.get("optional-dependencies", {}).get(name, [])
    return found


def normal(requirement: str) -> tuple[str, str]:
    """A requirement as (name, specifier), the way a lock file spells both."""
    name, specifier = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", requirement.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    return re.sub(r"[-_.]+", "-", name).lower(), specifier


def test_make_help_lists_every_target() -> None:
    listed = set(re.findall(r"^ +make ([a-z-]+) +\S", make("help"), re.MULTILINE))
    assert listed == targets()
    assert {"help", "install", "run", "test", "check", "bench", "mutants", "clean"} <= listed


def test_every_target_is_phony_and_known_to_make() -> None:
    assert set(re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE)) == targets()
    for target in targets():
        make("--dry-run", target)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_only_targets_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(
        re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", text, re.MULTILINE)
    )
    assert named <= targets()


def test_the_readme_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"make run", "make test"} <= set(readme.splitlines())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name} links to {link}, which does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_changelog_has_unreleased_on_top() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:])


def test_every_decision_says_what_when_and_at_what_price() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(folder.glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert re.match(rf"# {record.name[:4]}: \S", text)
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Alternatives", "Drawbacks"]
        assert f"[{record.name[:4]}]({record.name})" in index


def test_every_dependency_has_its_reason_beside_it() -> None:
    for requirement in requirements():
        lines = [line for line in PYPROJECT.splitlines() if f'"{requirement}"' in line]
        assert lines, requirement
        reasons = [line.partition("#")[2].strip() for line in lines]
        assert all(len(reason.split()) >= 3 for reason in reasons), f"{requirement} has no reason beside it"


def test_the_lock_file_is_that_of_the_project() -> None:
    [package] = [package for package in LOCK["package"] if package["name"] == "tidemill"]
    assert package["version"] == PROJECT["project"]["version"]
    wanted = {normal(item) for item in requirements()} - {normal(item) for item in PROJECT["build-system"]["requires"]}
    groups = package["metadata"]["requires-dev"].values()
    entries = [*package["metadata"]["requires-dist"], *(entry for group in groups for entry in group)]
    assert {(entry["name"], entry.get("specifier", "")) for entry in entries if "extras" not in entry} == {
        (name, specifier) for name, specifier in wanted if not specifier.startswith("[")
    }


def test_the_lock_file_knows_one_index_only() -> None:
    sources = [package["source"] for package in LOCK["package"]]
    assert {key for source in sources for key in source} == {"registry", "editable"}
    assert len({source["registry"] for source in sources if "registry" in source}) == 1
    files = [
        file["url"]
        for package in LOCK["package"]
        for file in [*package.get("wheels", []), package.get("sdist")]
        if file
    ]
    assert len({url.split("/")[2] for url in files}) == 1


def test_a_worker_never_installs_what_only_the_operator_needs() -> None:
    assert {"kopf", "kubernetes"} & (locked() | locked("worker")) == set()
    assert {"redis", "aiohttp", "prometheus-client"} <= locked("worker") - locked()
    assert {"kopf", "kubernetes"} | locked("worker") <= locked("operator")


def test_uv_has_one_version() -> None:
    [pinned] = re.findall(r"^UV_VERSION := (\S+)$", MAKEFILE, re.MULTILINE)
    assert f"uv=={pinned}" in PROJECT["dependency-groups"]["dev"]


def test_the_lowest_python_is_the_same_everywhere() -> None:
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    assert PROJECT["tool"]["ruff"]["target-version"] == "py311"
    assert PROJECT["tool"]["mypy"]["python_version"] == "3.11"
    assert "sys.version_info < (3, 11)" in MAKEFILE


def test_public_names_exist_and_are_documented() -> None:
    assert len(set(tidemill.__all__)) == len(tidemill.__all__)
    for name in tidemill.__all__:
        thing = getattr(tidemill, name)
        if callable(thing):
            assert thing.__doc__, f"tidemill.{name} has no docstring"


def test_the_announced_operations_are_there_under_their_names() -> None:
    announced = PROJECT["project"]["entry-points"]["tidemill.operations"]
    for name, value in announced.items():
        module, _, attribute = value.partition(":")
        assert getattr(importlib.import_module(module), attribute).op.name == name
    installed = distribution("tidemill").entry_points.select(group="tidemill.operations")
    assert {entry.name: entry.value for entry in installed} == announced


def test_every_error_is_public() -> None:
    errors = {
        name
        for name, thing in vars(tidemill.errors).items()
        if isinstance(thing, type) and issubclass(thing, Exception) and thing.__module__ == "tidemill.errors"
    }
    assert errors
    assert errors <= set(tidemill.__all__)


@pytest.mark.parametrize(("broken", "status"), [("", 0), ("check", 2), ("test", 2)])
def test_ci_fails_when_a_step_does(tmp_path: Path, broken: str, status: int) -> None:
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "run"
    script.write_bytes((ROOT / ".ci" / "run").read_bytes())
    script.chmod(0o755)
    recipes = "".join(f"{name}:\n\t@{'false' if name == broken else 'true'}\n" for name in ("install", "check", "test"))
    (tmp_path / "Makefile").write_text(recipes, encoding="utf-8")
    result = subprocess.run(
        [str(script)], cwd=tmp_path, env=PLAIN, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == status
    assert ("CI passed" in result.stdout) == (status == 0)
    assert (f'CI FAILED in "make {broken}"' in result.stderr) == (status != 0)
