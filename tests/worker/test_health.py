"""The health of a worker over HTTP: alive, ready, and what it has done."""

import asyncio
import re
import urllib.error
import urllib.request
from pathlib import Path

from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, Fleet, fleet, until
from tidemill.backends.redis.measures import RedisMeasures
from tidemill.backends.redis.overview import RedisOverview
from tidemill.plan.compile import compile_plan
from tidemill.runtime.measuring import short
from tidemill_worker.metrics import Metrics


def ask(workers: Fleet, path: str) -> tuple[int, str]:
    """Return the status and the text of an endpoint of the only worker."""
    port = re.findall(r"health at http://[^:]+:(\d+)", workers.log())[-1]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_a_worker_says_what_it_does(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, port=0, runners=2) as (workers, backend):
        (worker,) = workers.start(1)
        await workers.working(worker)
        await until(lambda: ask(workers, "/readyz") == (200, "ok\n"), "it is ready", workers.log)
        assert ask(workers, "/livez") == (200, "ok\n")
        await backend.open("c", compile_plan(flows.FLOW), flows.given(1))
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).failure is None
        wanted = {
            'tidemill_worker_reports_total{kind="completed"}': flows.expected(1).total() + 1 - 2,  # and the output
            'tidemill_worker_reports_total{kind="failed"}': 2,
            'tidemill_worker_reports_total{kind="emitted"}': 6,
            "tidemill_worker_runners": 2,
            "tidemill_worker_running": 0,
            "tidemill_worker_slots": 8,
        }

        def metrics() -> dict[str, float]:
            lines = [line.rsplit(" ", 1) for line in ask(workers, "/metrics")[1].splitlines() if line[0] != "#"]
            return {name: float(value) for name, value in lines}

        await until(lambda: wanted.items() <= metrics().items(), "all is counted", lambda: str(metrics()))
        found = metrics()
        assert found['tidemill_worker_beats_total{result="ok"}'] >= 1
        others = {name for name in found if not name.startswith("tidemill_worker_")}
        assert all(name.startswith(("tidemill_operation_", "tidemill_metrics_")) for name in others)

        def calls() -> dict[str, float]:
            said = re.compile(
                r'tidemill_operation_calls_total\{dataflow="\w{12}",operation="([\w.:]+)",result="completed"\}'
            )
            return {name[1]: value for each, value in metrics().items() if (name := said.fullmatch(each))}

        # said by runners now and then
        await until(
            lambda: calls().get("tests.worker.flows:square") == flows.EACH["square"],
            "calls are counted",
            lambda: str(calls()),
        )
        assert await workers.stop() == [0]
        stored = await RedisMeasures(backend.client).read(short(compile_plan(flows.FLOW).digest))
        many = {scope.operation: one.value for scope, one in stored if one.values == ("completed",)}
        assert many["tests.worker.flows:square"] == flows.EACH["square"]


async def test_who_misses_an_operation_is_not_ready_and_says_which(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, port=0, operations="tests.worker.flows:missing") as (workers, backend):
        (worker,) = workers.start(1)
        await workers.working(worker)
        await until(lambda: "missing" in ask(workers, "/readyz")[1], "it says so", workers.log)
        assert ask(workers, "/readyz")[0] == 503
        found: dict[str, dict[str, str]] = {}
        async with asyncio.timeout(DEADLINE):  # and whoever looks at the store is told with a beat
            while not found:
                found = (await RedisOverview(backend.client).look()).missing
        assert "missing" in found["default"].pop("tests.worker.flows:missing")
        assert found == {"default": {}}
        assert await workers.stop() == [0]


async def test_who_has_no_store_is_not_ready_and_after_long_not_alive(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, port=0, patience=0.5) as (workers, _):
        workers.url = "redis://127.0.0.1:1"
        workers.start(1)
        await until(lambda: "health at" in workers.log(), "it is asked")
        assert ask(workers, "/readyz") == (503, "0 of 2 runners are ready\n")
        await until(lambda: ask(workers, "/livez")[0] == 503, "it has waited for too long")
        assert "the store has not answered" in ask(workers, "/livez")[1]
        assert await workers.stop() == [0]


def test_what_alerts_look_at_is_there_before_it_happens() -> None:
    said = Metrics().text().decode()
    for series in ('beats_total{result="gone"}', 'runners_ended_total{cause="signal"}', 'reports_total{kind="failed"}'):
        assert f"tidemill_worker_{series} 0.0" in said
