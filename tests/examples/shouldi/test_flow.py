"""The whole data flow over packages made on the spot: files, names on a local index, and what is installed."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from shouldi import dataflow, metadata, operations, workspace

import tidemill
from tests.examples.shouldi.support import PLAIN_SOURCE, WEAK_HASH, LocalIndex, make_sdist, make_wheel, make_zip
from tidemill import Input, MemoryOrchestrator, compile_plan
from tidemill.formats.write import to_yaml

FILE = Path(dataflow.__file__).resolve().parents[1] / "dataflow.yaml"
MIT = "License-Expression: MIT"


def inputs(package: object, *, offline: bool = False, **thresholds: float) -> list[Input]:
    """The inputs of one context; what has a default is only given when it differs."""
    given = [Input(value=str(package), definition=operations.PACKAGE)]
    if offline:
        given.append(Input(value=True, definition=operations.OFFLINE))
    if thresholds:
        given.append(Input(value=thresholds, definition=operations.THRESHOLDS))
    return given


async def judge(package: object, *, offline: bool = False, **thresholds: float) -> tuple[dict[str, Any], list[str]]:
    """The verdict on one package and its reasons, each as "level check: text"."""
    async for _, result in tidemill.run(dataflow.DATAFLOW, inputs(package, offline=offline, **thresholds)):
        reasons = [f"{said['level']} {said['check']}: {said['text']}" for said in result["reasons"]]
        assert len(result["verdict"]) == 1
        return result["verdict"][0], reasons
    raise AssertionError("the run gave no result")


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Workspaces are made in a folder of the test, and the cleanup stage has removed them all when it ends."""
    folder = tmp_path / "workspaces"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.glob(f"{workspace.PREFIX}*")) == []


async def test_a_good_wheel_on_the_index_is_a_yes(local_index: LocalIndex, tmp_path: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}, MIT))
    local_index.say("thing", "1.0", [])
    verdict, reasons = await judge("Thing")
    assert (verdict["verdict"], reasons) == ("yes", [])
    assert (verdict["name"], verdict["version"], verdict["source"]) == ("thing", "1.0", "index: wheel")
    assert verdict["metadata"]["licence"] == "MIT"
    assert verdict["complexity"]["rank"] == "A"
    assert verdict["security"]["counts"]["HIGH"]["HIGH"] == 0
    assert verdict["vulnerabilities"]["known"] is True


async def test_without_a_wheel_the_sdist_is_judged_and_not_run(local_index: LocalIndex, tmp_path: Path) -> None:
    local_index.add(make_sdist(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}, MIT))
    local_index.say("thing", "1.0", [])
    verdict, reasons = await judge("thing==1.0")
    assert (verdict["verdict"], reasons) == ("yes", [])
    assert verdict["source"] == "index: sdist"


async def test_a_version_that_nobody_has_is_unknown(local_index: LocalIndex, tmp_path: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}))
    verdict, reasons = await judge("thing==2.0")
    assert verdict["verdict"] == "unknown"
    assert reasons == ["unknown index: the index has neither a wheel for this Python nor an sdist of thing==2.0"]


async def test_a_known_vulnerability_is_a_no(local_index: LocalIndex, tmp_path: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}, MIT))
    local_index.say("thing", "1.0", [{"id": "PYSEC-1", "fixed_in": ["1.1"]}])
    verdict, reasons = await judge("thing")
    assert verdict["verdict"] == "no"
    assert reasons == ["no vulnerabilities: PYSEC-1, fixed in 1.1"]
    assert (await judge("thing", vulnerabilities=1))[0]["verdict"] == "maybe"


async def test_a_download_is_tried_again(local_index: LocalIndex, tmp_path: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}, MIT))
    local_index.pages["/files/thing-1.0-py3-none-any.whl"] = (500, "text/plain", b"")
    with pytest.raises(tidemill.OperationException) as caught:
        await judge("thing")
    assert caught.value.failure.instance == "download_wheel"
    assert "could not fetch thing" in caught.value.failure.message
    asked = local_index.asked.count("/simple/thing/")
    assert asked == 4, "once by ask_index, once by each of three tries of pip"


async def test_a_file_is_judged_where_it_is_and_unknown_is_said(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "thing", "1.0", {"thing.py": WEAK_HASH}, MIT)
    verdict, reasons = await judge(wheel)
    assert (verdict["verdict"], verdict["source"]) == ("maybe", "file: wheel")
    assert "care security: bandit has 1 grave finding, the first B324 at thing.py:5" in reasons[0]
    assert reasons[1].startswith("unknown vulnerabilities: unknown: the index at 127.0.0.1:9 cannot be reached")
    assert wheel.exists()


async def test_thresholds_decide(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "thing", "1.0", {"thing.py": WEAK_HASH}, MIT)
    assert (await judge(wheel, offline=True, grave=0))[0]["verdict"] == "no"


async def test_offline_asks_nobody(local_index: LocalIndex, tmp_path: Path) -> None:
    verdict, reasons = await judge(make_wheel(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}, MIT), offline=True)
    assert verdict["verdict"] == "maybe"
    assert reasons == ["unknown vulnerabilities: unknown: no network was to be used"]
    assert (await judge("packaging", offline=True))[0]["source"] == "installed"
    assert local_index.asked == []


async def test_without_an_index_the_installed_one_is_judged_and_that_is_said() -> None:
    verdict, reasons = await judge("packaging")
    assert (verdict["source"], verdict["version"]) == ("installed", version("packaging"))
    assert any("the installed distribution was judged: the index at 127.0.0.1:9 cannot" in said for said in reasons)
    assert verdict["vulnerabilities"]["known"] is False


async def test_the_installed_one_can_be_asked_for(local_index: LocalIndex) -> None:
    local_index.say("packaging", version("packaging"), [])
    verdict, _ = await judge("installed:packaging")
    assert verdict["source"] == "installed"
    assert verdict["vulnerabilities"]["known"] is True


async def test_what_is_nowhere_is_unknown(local_index: LocalIndex) -> None:
    verdict, reasons = await judge("shouldi-nothing")
    assert verdict == {"package": "shouldi-nothing", "verdict": "unknown"}
    text = "shouldi-nothing is not installed here, and the index has no project called shouldi-nothing"
    assert reasons == [f"unknown source: {text}"]


@pytest.mark.parametrize("package", ["--index-url=x", "nothing/here.whl", "cоlorama"])
async def test_what_is_no_package_is_unknown(package: str) -> None:
    verdict, reasons = await judge(package)
    assert verdict["verdict"] == "unknown"
    assert reasons[0].startswith("unknown request: cannot judge")


async def test_an_archive_that_breaks_rules_is_a_no(tmp_path: Path) -> None:
    verdict, reasons = await judge(make_zip(tmp_path / "evil-1.0-py3-none-any.whl", {"../evil.py": "x = 1"}))
    assert verdict["verdict"] == "no"
    assert reasons == ["no archive: the archive was refused: the member '../evil.py' leads out of the archive"]


async def test_a_package_without_metadata_is_a_no(tmp_path: Path) -> None:
    verdict, reasons = await judge(make_zip(tmp_path / "thing-1.0-py3-none-any.whl", {"a.py": "x = 1"}))
    assert verdict["verdict"] == "no"
    assert reasons == ["no metadata: it has 0 metadata files where one is expected"]


def test_a_file_that_goes_away_is_unknown(tmp_path: Path) -> None:
    said = operations.unpack(archive={"path": str(tmp_path / "gone.whl"), "source": "file"}, workspace=str(tmp_path))
    assert said["dead_end"]["level"] == "unknown"
    assert said["dead_end"]["text"].startswith("the archive cannot be read: [Errno 2]")


async def test_packages_never_mix(tmp_path: Path) -> None:
    wheels = [
        make_wheel(tmp_path, f"thing{n}", f"{n}.0", {f"thing{n}.py": WEAK_HASH * n + PLAIN_SOURCE}, MIT)
        for n in range(6)
    ]
    sets = {str(wheel): inputs(wheel, offline=True) for wheel in wheels}
    seen = {}
    async with MemoryOrchestrator() as orchestrator, orchestrator(dataflow.DATAFLOW) as running:
        async for outcome in running.outcomes(sets):
            assert outcome.failure is None
            assert outcome.result is not None
            (verdict,) = outcome.result["verdict"]
            seen[outcome.name] = (verdict["name"], verdict["version"], verdict["security"]["counts"]["HIGH"]["HIGH"])
    assert seen == {str(wheel): (f"thing{n}", f"{n}.0", n) for n, wheel in enumerate(wheels)}


async def test_one_that_fails_does_not_stop_the_others_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = [make_wheel(tmp_path, f"thing{n}", "1.0", {f"thing{n}.py": PLAIN_SOURCE}, MIT) for n in range(3)]
    real = metadata.read

    def read(tree: Path, files: list[str], archive: str | None) -> dict[str, Any]:
        if archive == wheels[1].name:
            raise RuntimeError("a fault")
        return real(tree, files, archive)

    monkeypatch.setattr(metadata, "read", read)
    outcomes = {}
    async with MemoryOrchestrator() as orchestrator, orchestrator(dataflow.DATAFLOW) as running:
        async for outcome in running.outcomes({wheel.name: inputs(wheel, offline=True) for wheel in wheels}):
            outcomes[outcome.name] = outcome
    failed = outcomes[wheels[1].name].failure
    assert failed is not None
    assert (failed.instance, failed.reason) == ("read_metadata", "Exception")
    assert [outcomes[wheel.name].failure for wheel in (wheels[0], wheels[2])] == [None, None]


def test_the_plan_has_nothing_to_warn_about() -> None:
    assert compile_plan(dataflow.DATAFLOW).warnings == ()


def test_the_file_is_the_flow() -> None:
    assert FILE.read_text() == to_yaml(dataflow.DATAFLOW, linked=True), "run python -m shouldi.dataflow > dataflow.yaml"
    assert compile_plan(tidemill.load(FILE)).digest == compile_plan(dataflow.DATAFLOW).digest


async def test_the_file_runs(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}, MIT)
    results = [result async for _, result in tidemill.run(tidemill.load(FILE), inputs(wheel, offline=True))]
    assert results[0]["verdict"][0]["name"] == "thing"


def test_a_workspace_is_only_removed_if_it_is_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a workspace"):
        workspace.discard_workspace(str(tmp_path))
    made = workspace.make_workspace()
    workspace.discard_workspace(made)
    workspace.discard_workspace(made)
    assert not Path(made).exists()
