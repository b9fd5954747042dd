"""Operations that count, wherever they run; a child process imports them from here."""

import json
import os
import subprocess
import sys

import tidemill
from tidemill import metrics

PAGES = metrics.counter("pages_total", "Pages that were fetched", "where")
SIZES = metrics.histogram("page_bytes", "Bytes of pages")
LAST = metrics.gauge("last_page", "The page that was fetched last")


def work(where: str, n: int) -> int:
    PAGES.inc(n, where=where)
    SIZES.observe(2.0**n)
    LAST.set(n)
    metrics.progress(n, 2 * n)
    return n


@tidemill.op
async def on_loop(n: int) -> int:
    return work("loop", n)


@tidemill.op(executor="thread")
def on_thread(n: int) -> int:
    return work("thread", n)


@tidemill.op(executor="process")
def in_process(n: int) -> int:
    return work("process", n)


PROGRAM = """
import json, os
with open(os.environ["TIDEMILL_METRICS"], "a") as lines:
    print(json.dumps({"counter": "lines_total", "by": 2, "help": "Lines", "labels": {"kind": "good"}}), file=lines)
    print(json.dumps({"histogram": "line_bytes", "value": 8}), file=lines)
    print(json.dumps({"gauge": "line_items", "value": 5}), file=lines)
"""


@tidemill.op(executor="subprocess")
def in_subprocess(n: int) -> int:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
    return work("subprocess", n)


@tidemill.op(executor="thread")
def of_a_program(n: int) -> int:
    with metrics.programs() as environment:
        subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environment)
        with open(environment["TIDEMILL_METRICS"], "a", encoding="utf-8") as lines:
            lines.write(
                "no JSON\n" + json.dumps({"counter": "Bad name"}) + "\n" + json.dumps({"done": 1, "total": 4}) + "\n"
            )
    assert not os.path.exists(environment["TIDEMILL_METRICS"])
    return n


@tidemill.op
async def fails(n: int) -> int:
    PAGES.inc(where="failing")
    raise ValueError("on purpose")


@tidemill.op
async def counts_wrongly(n: int) -> int:
    PAGES.inc(-1, where="nowhere")
    return n
