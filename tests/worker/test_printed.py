"""What operations print is in the log of their worker: lines behind the name of the runner, harmless, and bounded."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from tests.backends.redis.stores import server
from tests.worker import loud
from tests.worker.fleet import DEADLINE, fleet, until
from tests.worker.test_health import ask
from tidemill.plan.compile import compile_plan
from tidemill_worker.printed import BURST, LINE, RATE, Printed, harmless


class Heard:
    """A runner's words, a clock that stands, and what is counted of them."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.now = 0.0
        self.counted = [0, 0]
        self.printed = Printed("r/1", self._count, lambda: self.now)
        self._log = caplog

    def _count(self, shown: int, hidden: int) -> None:
        self.counted = [self.counted[0] + shown, self.counted[1] + hidden]

    def says(self, *parts: bytes) -> list[str]:
        """Have it print, and return what is logged of that."""
        self._log.clear()
        for part in parts:
            self.printed.data_received(part)
        return [record.getMessage() for record in self._log.records]

    def ends(self) -> list[str]:
        """Have it end, and return what is logged then."""
        self._log.clear()
        self.printed.connection_lost(None)
        return [record.getMessage() for record in self._log.records]


@pytest.fixture
async def heard(caplog: pytest.LogCaptureFixture) -> Heard:
    """A runner that is heard."""
    return Heard(caplog)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("grün ☃ 漢字".encode(), "grün ☃ 漢字"),
        (b"\x1b[2J\x1b[31mred\a\r", r"\x1b[2J\x1b[31mred\x07\r"),
        (b"a\tb", "a\tb"),
        (b"\xff\xfe\x00", r"\xff\xfe\x00"),
        ("\u202eevil\u2028line".encode(), r"\u202eevil\u2028line"),
    ],
)
def test_what_is_printed_does_nothing_to_its_reader(raw: bytes, shown: str) -> None:
    assert harmless(raw) == shown


async def test_each_line_is_one_of_the_log_however_it_comes(heard: Heard) -> None:
    assert heard.says(b"one\ntw", b"o\n\nthr", b"ee") == ["r/1 printed: one", "r/1 printed: two", "r/1 printed: "]
    assert heard.ends() == ["r/1 printed: three"]
    assert heard.printed.over.done()
    assert heard.counted == [len("onetwothree"), 0]


async def test_a_long_line_is_cut_and_its_length_said(heard: Heard) -> None:
    (said,) = heard.says(b"x" * LINE, b"y" * 100, b"z\n")
    assert said == f"r/1 printed: {'x' * LINE} … and 101 bytes more"
    assert heard.counted == [LINE, 101]


async def test_what_is_too_much_is_counted_and_later_there_is_room_again(heard: Heard) -> None:
    line = b"x" * 1023 + b"\n"
    shown = heard.says(*[line * 64] * 1024)
    assert BURST / 1024 - LINE / 1024 <= len(shown) <= BURST / 1024
    hidden = 64 * 1024 * 1024 - 1024 * len(shown)
    assert heard.says(line) == []
    heard.now += LINE / RATE + 1
    assert heard.says(b"again\n") == [
        f"r/1 printed {heard.counted[1]} bytes more, too much to be shown", "r/1 printed: again"
    ]  # fmt: skip
    assert hidden - 1024 <= heard.counted[1] <= hidden + 1024


async def test_without_an_end_of_line_nothing_is_kept(heard: Heard) -> None:
    for _ in range(64):
        assert heard.says(b"x" * (1 << 20)) == []
    assert len(heard.printed._line) <= LINE
    (said,) = heard.ends()
    assert said.endswith(f"… and {(64 << 20) - LINE} bytes more")


async def test_a_pipe_is_heard_to_its_end(heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    async with Printed.by("r/2", lambda shown, hidden: None) as (printed, pipe):
        os.write(pipe, b"last words")
    async with asyncio.timeout(DEADLINE):
        await printed.over
    assert [record.getMessage() for record in caplog.records] == ["r/2 printed: last words"]
    with pytest.raises(RuntimeError):
        async with Printed.by("r/3", lambda shown, hidden: None) as (printed, _):
            raise RuntimeError("the runner cannot be started")
    async with asyncio.timeout(DEADLINE):
        await printed.over


async def test_an_operation_that_prints_without_end_fills_no_log_and_is_not_held_up(tmp_path: Path) -> None:
    """C16: escapes, binary, lines that look like those of a log, and 64 MiB."""
    async with fleet(server("valkey"), tmp_path, runners=1, port=0) as (workers, backend):
        (worker,) = workers.start(1)
        await workers.working(worker)
        await backend.open("c", compile_plan(loud.FLOW), loud.given(64 * 1024))
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).result == {"shouted": [64 * 1024]}
        hidden = 'tidemill_worker_printed_bytes_total{how="hidden"}'
        await until(lambda: f"{hidden} 0.0" not in ask(workers, "/metrics")[1], "it is counted", workers.log)
        assert await workers.stop() == [0]
        log = workers.log()
        for said in (r"\x1b[2J\x1b[31mred\x07", loud.JSON, "told", r"\xff\x00"):
            assert f"/1 printed: {said}\n" in log
        assert "bytes more, too much to be shown" in log
        assert len(log) < 3 * BURST
        assert all(line[:4].isdigit() for line in log.splitlines()), "each line is one of the log"
