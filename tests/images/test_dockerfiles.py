"""The images: their content comes from the lock file, nothing of the operator is in the worker, nobody is root."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools import images
from tools.programs import Missing

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILES = {name: (ROOT / path).read_text(encoding="utf-8") for name, path in images.IMAGES.items()}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def exported(extra: str) -> set[str]:
    """The distributions that an image with this extra is made of, as uv has them from the lock file."""
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"),
            *("--extra", extra, "--offline"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^([a-z0-9-]+)==", done.stdout, re.MULTILINE))


def test_a_worker_has_nothing_of_kubernetes() -> None:
    worker, operator = exported("worker"), exported("operator")
    assert {"kopf", "kubernetes", "requests", "urllib3", "hypothesis", "pytest"} & worker == set()
    assert {"redis", "msgpack", "aiohttp", "prometheus-client", "pydantic"} <= worker
    assert worker | {"kopf", "kubernetes"} <= operator
    assert len(worker) < 30


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_installed_is_what_the_lock_file_names(name: str) -> None:
    text = DOCKERFILES[name]
    assert "uv export --quiet --frozen --no-dev --no-emit-project" in text
    assert "--require-hashes --only-binary :all:" in text
    [extras] = re.findall(r'^ARG EXTRAS="(.*)"$', text, re.MULTILINE)
    assert set(extras.split()) <= set(PROJECT["project"]["optional-dependencies"])
    # The operator fetches files of inputs from object stores; workers are small.
    assert extras == {"tidemill-operator": "operator blobs", "tidemill-worker": "worker"}[name]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_it_has_versions_of_its_tools_that_the_project_has(name: str) -> None:
    [uv] = re.findall(r"^ARG UV_VERSION=(\S+)$", DOCKERFILES[name], re.MULTILINE)
    assert f"uv=={uv}" in PROJECT["dependency-groups"]["dev"]
    [hatchling] = re.findall(r"^ARG HATCHLING_VERSION=(\S+)$", DOCKERFILES[name], re.MULTILINE)
    [least] = re.findall(r"hatchling>=(\S+)", " ".join(PROJECT["build-system"]["requires"]))
    assert tuple(map(int, hatchling.split("."))) >= tuple(map(int, least.split(".")))
    [version] = re.findall(r"^ARG VERSION=(\S+)$", DOCKERFILES[name], re.MULTILINE)
    assert version == images.version()


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_last_stage_is_small_nobody_and_labelled(name: str) -> None:
    last = DOCKERFILES[name].rpartition("\nFROM ")[2]
    assert "\nUSER 65532:65532\n" in last
    assert "RUN " not in last
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", last))
    assert {"title", "description", "version", "revision", "created", "source", "licenses"} <= labels
    assert DOCKERFILES[name].count("FROM ${PYTHON_IMAGE}") == 2
    module = name.replace("-", "_")
    assert f'ENTRYPOINT ["python", "-m", "{module}"]' in last


@pytest.mark.parametrize("path", [*images.IMAGES.values(), ".dockerignore", "Makefile", "tools/images.py"])
def test_no_index_of_packages_is_named(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.search(r"https?://|index-url|pypi|pythonhosted|proxy\.golang|docker\.io/(?!library/\")", text), path


def test_only_sources_are_sent_to_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed == {"pyproject.toml", "uv.lock", "README.md", "LICENSE", "core", "worker", "operator"}
    assert "*" in lines


def test_an_image_of_ones_own_takes_two_lines() -> None:
    folder = ROOT / "examples" / "kubernetes" / "image"
    lines = (folder / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert lines == [f"FROM tidemill-worker:{images.version()}", "COPY operations /operations"]
    assert "PYTHONPATH=/operations" in DOCKERFILES["tidemill-worker"]
    assert list((folder / "operations").glob("*.py"))


@pytest.mark.parametrize("name", ["docker", "podman", "buildah", "cluster"])
def test_every_builder_is_told_the_same(name: str) -> None:
    command = images.builder(name).command("tidemill-worker", "worker/Dockerfile", ".", {"REVISION": "abc"}, 5)
    said = " ".join(command)
    assert f"tidemill-worker:{images.version()}" in said
    assert "--build-arg REVISION=abc" in said
    assert "-f worker/Dockerfile" in said
    assert ("--timestamp 5" in said) == (name != "docker")
    assert "." in command


def test_an_unknown_builder_is_named() -> None:
    with pytest.raises(Missing, match="BUILDER=kaniko is not known: choose one of docker, podman, cluster, buildah"):
        images.builder("kaniko")
