"""Operations that want more of the machine than there is: each fails alone, and leaves the next one what it needs."""

import os
import resource
from typing import Any

import pytest

from tests.runtime.beside import GO, NOTED, failure_of, outcomes
from tidemill import DataFlow, GetMulti, Input, op

FEW = 256
"""Files that a process of these tests may have open."""


def _open_everything(go: Any) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, most))
    while True:
        os.open(os.devnull, os.O_RDONLY)


@op(inputs={"go": GO}, outputs={}, name="opening", executor="process")
def open_everything_in_process(go: Any) -> None:
    _open_everything(go)


@op(inputs={"go": GO}, outputs={}, name="opening", executor="subprocess")
def open_everything_in_subprocess(go: Any) -> None:
    _open_everything(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="opening", executor="process", concurrency=1)
def open_everything_or_one(go: str) -> dict[str, Any]:
    if go == "everything":
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))
        _open_everything(go)
    with open(os.devnull) as file:
        return {"noted": file.name}


def _fill_the_disk(go: Any) -> None:
    with open("/dev/full", "w") as file:
        file.write("x")


@op(inputs={"go": GO}, outputs={}, name="filling", executor="process")
def fill_the_disk_in_process(go: Any) -> None:
    _fill_the_disk(go)


@op(inputs={"go": GO}, outputs={}, name="filling", executor="subprocess")
def fill_the_disk_in_subprocess(go: Any) -> None:
    _fill_the_disk(go)


@op(inputs={"go": GO}, outputs={}, name="filling", executor="thread")
def fill_the_disk_on_a_thread(go: Any) -> None:
    _fill_the_disk(go)


def _eat(go: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    eaten = []
    while True:
        eaten.append(bytearray(2**28))


@op(inputs={"go": GO}, outputs={}, name="eating", executor="subprocess")
def eat_in_subprocess(go: Any) -> None:
    _eat(go)


@pytest.mark.parametrize("operation", [open_everything_in_process, open_everything_in_subprocess])
async def test_an_operation_that_opens_every_file_fails_alone(operation: Any) -> None:
    failure = await failure_of(operation)
    assert (failure.reason, failure.path) == ("Exception", "/operations/opening")
    assert failure.message.startswith("OSError: [Errno 24] Too many open files")


async def test_files_that_were_used_up_are_there_for_the_next_operation_of_the_process() -> None:
    flow = DataFlow(open_everything_or_one, GetMulti, seed=[Input(["noted"], GetMulti.op.inputs["spec"])])
    # More of them than the pool has processes, so that each has one before the others come.
    greedy = [Input("everything", GO) for _ in range(2 * (os.cpu_count() or 1))]
    (ended,) = await outcomes(flow, [*greedy, *(Input("one", GO) for _ in range(8))], strict=False)
    assert len(ended.failures) == len(greedy)
    assert {failure.inputs["go"] for failure in ended.failures} == {"everything"}
    assert ended.result == {"noted": [os.devnull] * 8}


@pytest.mark.parametrize(
    "operation", [fill_the_disk_in_process, fill_the_disk_in_subprocess, fill_the_disk_on_a_thread]
)
async def test_an_operation_that_finds_the_disk_full_fails_alone(operation: Any) -> None:
    failure = await failure_of(operation)
    assert (failure.reason, failure.path) == ("Exception", "/operations/filling")
    assert failure.message == "OSError: [Errno 28] No space left on device"


async def test_an_operation_that_is_out_of_its_memory_fails_alone() -> None:
    failure = await failure_of(eat_in_subprocess)
    assert (failure.reason, failure.path) == ("Exception", "/operations/eating")
    assert failure.message.startswith("MemoryError")
