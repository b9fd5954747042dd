"""The rungs: each gets all files of a site that behaves; of one that does not, each loses what its page says."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import r01_serial
import r02_threads
import r03_processes
import r04_subprocess
import r05_event_loop
import r06_director
import r07_prev_pointers
import r08_data_flow
import r09_many_workers
from ladder.client import SiteContext
from ladder.program import Asked, Tally, running_site
from ladder.site import SiteSettings, body_of

FILES = 24
RUNGS: dict[str, Callable[[Asked], Tally]] = {
    "serial": r01_serial.download,
    "threads": r02_threads.download,
    "processes": r03_processes.download,
    "subprocess": r04_subprocess.download,
    "event loop": lambda what: asyncio.run(r05_event_loop.download(what)),
    "director": lambda what: asyncio.run(r06_director.download(what)),
    "prev pointers": lambda what: asyncio.run(r07_prev_pointers.download(what)),
    "data flow": lambda what: asyncio.run(r08_data_flow.download(what)),
    "many workers": lambda what: asyncio.run(r09_many_workers.download(what)),
}
PLAIN = ("serial", "threads", "processes")
RETRYING = ("event loop", "director", "prev pointers", "data flow", "many workers")


def wanted(url: str, workers: int = 3) -> Asked:
    return Asked(SiteContext(url), FILES, workers, verbose=False)


@pytest.fixture(scope="module")
def good() -> Iterator[str]:
    with running_site(SiteSettings(files=FILES, latency=0.002)) as url:
        yield url


@pytest.fixture
def bad() -> Iterator[str]:
    with running_site(SiteSettings(files=FILES, latency=0.002, errors=0.3, broken=0.1)) as url:
        yield url


@pytest.mark.parametrize("rung", RUNGS)
def test_all_files_come_from_a_site_that_behaves(rung: str, good: str) -> None:
    found = RUNGS[rung](wanted(good))
    assert (found.done, found.failed, found.errors) == (FILES, 0, {})
    plain = sum(len(body_of(number)) for number in range(FILES))
    assert found.bytes == plain if rung in PLAIN else 0 < found.bytes < plain / 10


@pytest.mark.parametrize("rung", RETRYING)
def test_what_may_come_later_is_tried_again_and_the_rest_goes_on(rung: str, bad: str) -> None:
    found = RUNGS[rung](wanted(bad))
    broken = _broken()
    assert broken
    assert (found.done, found.failed) == (FILES - broken, broken)


def _broken() -> int:
    from ladder.site import _drawn

    return sum(_drawn("broken", number) < 0.1 for number in range(FILES))


def test_serial_ends_with_the_first_error(bad: str) -> None:
    with pytest.raises(Exception, match="HTTP Error"):
        r01_serial.download(wanted(bad))


def test_threads_lose_what_came_after_the_first_error(bad: str) -> None:
    found = r02_threads.download(wanted(bad))
    assert found.errors["lost with another"] > FILES / 2
    assert found.errors["HTTPError"] == 1  # though more were refused


def test_processes_lose_everything_to_one_exception_that_cannot_be_sent(bad: str) -> None:
    found = r03_processes.download(wanted(bad))
    assert set(found.errors) == {"BrokenProcessPool"}
    assert found.failed > FILES / 2


def test_with_a_subprocess_each_error_is_counted_but_nothing_is_tried_again(bad: str) -> None:
    found = r04_subprocess.download(wanted(bad))
    assert found.failed > _broken()
    assert found.done + found.failed == FILES


async def test_the_director_knows_what_each_file_is_at(good: str) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def fetch(event: r06_director.BaseEvent) -> r06_director.BaseEvent:
        if event.number == 1:
            started.set()
            await go.wait()
        return r06_director.Packed(event.number, b"")

    director = r06_director.Director(2)
    director.on(r06_director.Wanted, fetch)
    running = asyncio.create_task(director.direct(r06_director.Wanted(0), r06_director.Wanted(1)))
    await asyncio.wait_for(started.wait(), 30)
    assert director.counts() == {"Packed": 1, "Wanted": 1}
    go.set()
    await running
    assert director.counts() == {"Packed": 2}


def test_from_an_outcome_one_walks_back_to_where_it_began() -> None:
    first = r07_prev_pointers.Wanted(3)
    last = r07_prev_pointers.Packed(3, r07_prev_pointers.Downloaded(3, first, body=b"x"), size=1)
    assert [type(step).__name__ for step in r07_prev_pointers.lineage(last)] == ["Packed", "Downloaded", "Wanted"]
    told = [json.loads(line) for line in r07_prev_pointers.tell(last)]
    assert [event["eventType"] for event in told] == ["START", "COMPLETE"] * 2
    assert told[0]["outputs"][0]["name"] == told[2]["inputs"][0]["name"] == "Downloaded/3"
    assert told[0]["run"]["runId"] == told[1]["run"]["runId"] != told[2]["run"]["runId"]


def test_a_failure_is_told_as_one() -> None:
    failed = r07_prev_pointers.Failed(0, r07_prev_pointers.Wanted(0), error=OSError("gone"))
    assert [json.loads(line)["eventType"] for line in r07_prev_pointers.tell(failed)] == ["START", "FAIL"]


def test_a_rung_is_a_program_that_brings_its_own_site() -> None:
    folder = Path(r01_serial.__file__).parent
    command = [sys.executable, str(folder / "r05_event_loop.py"), "--requests=3", "--latency=0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["done"] == 3
