"""The bills of materials: whatever goes into an image is in its bill, with hashes, and the same each time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import sbom
from tools.images import IMAGES
from tools.programs import Missing

ROOT = Path(__file__).resolve().parents[2]


def packages(image: str) -> dict[str, str]:
    return {one["name"]: one["version"] for one in sbom.bill(image)["components"]}


def test_each_image_has_what_its_extras_need_and_no_more() -> None:
    operator, worker = packages("tidemill-operator"), packages("tidemill-worker")
    assert {"kopf", "kubernetes", "aiohttp", "redis", "opendal"} <= operator.keys()
    assert {"redis", "msgpack"} <= worker.keys()
    assert not {"kopf", "kubernetes", "pytest", "ruff"} & worker.keys()
    assert not {"pytest", "ruff"} & operator.keys()


@pytest.mark.parametrize("image", IMAGES)
def test_it_is_the_same_each_time_and_every_package_has_a_hash(image: str) -> None:
    made = sbom.bill(image)
    assert made == sbom.bill(image)
    assert (made["bomFormat"], made["metadata"]["component"]["name"]) == ("CycloneDX", image)
    for one in made["components"]:
        files = one.get("externalReferences", [])
        assert one["purl"].startswith("pkg:pypi/")
        assert files
        assert all(file["hashes"][0]["alg"] == "SHA-256" for file in files)


@pytest.mark.parametrize("image", IMAGES)
def test_every_package_is_there_built_for_both_architectures(image: str) -> None:
    for one in sbom.bill(image)["components"]:
        if one["name"] == "tidemill":
            continue
        files = [file["url"].rpartition("/")[2] for file in one["externalReferences"]]
        for machine in ("x86_64", "aarch64"):
            fits = [name for name in files if name.endswith("-any.whl") or ("manylinux" in name and machine in name)]
            assert fits, f"{one['name']} has no wheel for {machine}"


def test_it_is_written_by_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sbom, "FOLDER", tmp_path / "sbom")
    monkeypatch.setattr("sys.argv", ["sbom", "tidemill-worker"])
    assert sbom.main() == 0
    made = json.loads((tmp_path / "sbom" / "tidemill-worker.cdx.json").read_text(encoding="utf-8"))
    assert made["specVersion"] == "1.5"
    done = subprocess.run(
        [sys.executable, "-m", "tools.sbom", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "CycloneDX" in done.stdout


def test_a_dockerfile_that_does_not_say_what_it_installs_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    monkeypatch.setattr(sbom, "ROOT", tmp_path)
    with pytest.raises(Missing, match="has no ARG EXTRAS"):
        sbom.extras_of("Dockerfile")
    monkeypatch.setattr(sbom, "IMAGES", {"tidemill-worker": "Dockerfile"})
    monkeypatch.setattr("sys.argv", ["sbom"])
    assert sbom.main() == 1
    assert "ARG EXTRAS" in capsys.readouterr().err
