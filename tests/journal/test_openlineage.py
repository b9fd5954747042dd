"""OpenLineage: what is told of contexts is valid by the schemas of the standard, and leads from child to parent.

The schemas are those of OpenLineage 2-0-2 and of two facets, as its repository has them: the library has none.
"""

import importlib
import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from referencing import Registry, Resource

from tidemill import DataFlow, Definition, GetMulti, Input, MemoryOrchestrator, RunDataFlowConfig, op, run_dataflow
from tidemill.errors import TidemillError
from tidemill.journal.event import Event
from tidemill.journal.kept import Journal
from tidemill.journal.openlineage import OpenLineage, run_id, transport_of

Draft202012Validator: Any = importlib.import_module("jsonschema").Draft202012Validator  # which has no types
NUMBER, MORE = Definition("number", "int"), Definition("more", "int")
SCHEMAS = [json.loads(path.read_text()) for path in Path(__file__).parent.glob("openlineage/*.json")]
REGISTRY: Any = Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS])


@op(inputs={"number": NUMBER}, outputs={"more": MORE})
async def increase(number: int) -> dict[str, int]:
    """Add one; 13 fails."""
    if number == 13:
        raise ValueError("unlucky")
    return {"more": number + 1}


FLOW = DataFlow(increase, GetMulti, seed=[Input(["more"], GetMulti.op.inputs["spec"])])


def valid(said: Any) -> dict[str, Any]:
    """Return an event that is valid by the schema, as are its facets."""
    checked = [({"$ref": next(s["$id"] for s in SCHEMAS if s["$id"].endswith("/OpenLineage.json"))}, said)]
    checked += [({"$ref": facet["_schemaURL"]}, facet) for facet in said["run"].get("facets", {}).values()]
    for schema, part in checked:
        Draft202012Validator(schema, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
            part
        )
    return dict(said)


async def told(where: str, flow: DataFlow, sets: dict[str, list[Input]], failed: Any = print) -> None:
    taking = OpenLineage(transport_of(where), "increasing", failed=failed)
    try:
        async with MemoryOrchestrator(journal=Journal(sink=taking)) as orchestrator, orchestrator(flow) as octx:
            async for _ in octx.outcomes(sets):
                pass
    finally:
        taking.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [valid(json.loads(line)) for line in path.read_text().splitlines()]


async def test_a_context_is_a_run_that_starts_and_completes(tmp_path: Path) -> None:
    path = tmp_path / "lineage.jsonl"
    await told(f"file:{path}", FLOW, {"ada": [Input(1, NUMBER)]})
    start, complete = lines(path)
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"] == run_id("tidemill", "ada")
    assert (complete["job"]["namespace"], complete["job"]["name"]) == ("tidemill", "increasing")
    assert [one["name"] for one in complete["inputs"]] == ["ada/inputs/get_multi_spec", "ada/inputs/number"]
    assert [one["name"] for one in complete["outputs"]] == ["ada/result/more"]


async def test_a_context_that_fails_says_why(tmp_path: Path) -> None:
    path = tmp_path / "lineage.jsonl"
    await told(f"file:{path}", FLOW, {"ada": [Input(13, NUMBER)]})
    _, fail = lines(path)
    assert fail["eventType"] == "FAIL"
    assert fail["run"]["facets"]["errorMessage"]["message"] == "Exception: ValueError: unlucky"
    assert fail["outputs"] == []


async def test_a_child_context_has_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "lineage.jsonl"
    await told(f"file:{path}", *subflow())
    found = lines(path)
    (child,) = [event for event in found if event["eventType"] == "COMPLETE" and "parent" in event["run"]["facets"]]
    parent = child["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == run_id("tidemill", "outer")
    assert (parent["job"]["name"], child["job"]["name"]) == ("increasing", "increasing.sub")


def subflow() -> tuple[DataFlow, dict[str, list[Input]]]:
    """Return a data flow that runs another, and what it is given."""
    config = RunDataFlowConfig(dataflow=DataFlow(increase))
    outer = DataFlow(operations={"sub": run_dataflow}, configs={"sub": config})
    value = {"inner": [{"value": 1, "definition": "number"}]}
    return outer, {"outer": [Input(value, Definition("flow_inputs", "map"))]}


async def test_events_go_to_a_server(tmp_path: Path) -> None:
    taken: list[Any] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            await told(f"http://127.0.0.1:{server.server_port}", FLOW, {"ada": [Input(1, NUMBER)]})
        finally:
            server.shutdown()
            thread.join()
    assert [valid(event)["eventType"] for event in taken] == ["START", "COMPLETE"]


async def test_a_transport_that_fails_fails_no_run() -> None:
    said: list[str] = []

    class Broken(type(transport_of("console"))):  # type: ignore[misc]
        def emit(self, event: Any) -> None:
            raise OSError("the cable is out")

    taking = OpenLineage(Broken(None), "increasing", failed=said.append)
    taking([Event(1, 0, "opened", "ada", {})])
    taking.close()
    assert said == ["an event for OpenLineage was not taken: OSError: the cable is out"]


def test_whoever_comes_late_is_told_that_it_has_begun_first_and_all_once(tmp_path: Path) -> None:
    path = tmp_path / "lineage.jsonl"
    taking = OpenLineage(transport_of(f"file:{path}"), "increasing")
    given = Event(8, 7, "input", "ada", {"number": 1, "definition": "number"})
    taking([Event(7, 0, "cut", "ada", {"events": 7}), given])
    taking([given])  # as who goes on behind an event that is known may hear it again
    taking([Event(9, 0, "ended", "bob", {"status": "failed", "failure": {"reason": "Exception", "message": "no"}})])
    taking([Event(9, 8, "ended", "ada", {"status": "succeeded", "result": {"more": 2}})])
    taking.close()
    found = lines(path)
    names = {run_id("tidemill", name): name for name in ("ada", "bob")}
    assert [(names[event["run"]["runId"]], event["eventType"]) for event in found] == [
        ("ada", "START"), ("bob", "START"), ("bob", "FAIL"), ("ada", "COMPLETE"),
    ]  # fmt: skip
    assert [one["name"] for one in found[-1]["inputs"]] == ["ada/inputs/number"]


@pytest.mark.parametrize("said", ["", "file:", "kafka://broker", "nowhere"])
def test_where_events_cannot_go_is_said(said: str) -> None:
    with pytest.raises(TidemillError) as refused:
        transport_of(said)
    assert refused.value.reason == "InvalidTransport"


def test_a_context_is_the_same_run_wherever_it_is_asked_for() -> None:
    names: Sequence[str] = ("ada", "grace", "ada/run_dataflow/inner")
    assert len({run_id("tidemill", name) for name in names} | {run_id("other", "ada")}) == 4
    assert run_id("tidemill", "ada") == "06d173c4-5df0-517a-af1e-06c01dc86dfc"
