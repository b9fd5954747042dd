"""Data flows over numbers that the tests of `run` use: some succeed, some fail, some would never end."""

from __future__ import annotations

import asyncio
import datetime
import os
import threading
from collections.abc import Sequence
from typing import Any

import click

from tidemill import DataFlow, Definition, GetMulti, Input, Limits, Stage, op

NUMBER = Definition("number", "int")
LABEL = Definition("label", "string", default="none")
TABLE = Definition("table", "map")
SHARE = Definition("share", "float")
DOUBLED = Definition("doubled", "int")
THING = Definition("thing")
SPEC = GetMulti.op.inputs["spec"]


def _wanting(*operations: Any, names: list[str], seed: Sequence[Input] = (), **more: Any) -> DataFlow:
    return DataFlow(*operations, GetMulti, seed=[Input(names, SPEC), *seed], **more)


@op(inputs={"number": NUMBER, "label": LABEL}, outputs={"doubled": DOUBLED})
def double(number: int, label: str) -> dict[str, int]:
    """Double a number; odd ones of 13 fail."""
    if number == 13:
        raise ValueError(f"{number} is unlucky, {label}")
    return {"doubled": number * 2}


@op(inputs={"table": TABLE, "share": SHARE}, outputs={"thing": THING})
def combine(table: dict[str, Any], share: float) -> dict[str, Any]:
    """Give back what it was given."""
    return {"thing": [table, share]}


@op(inputs={"number": NUMBER}, outputs={"thing": THING})
def objects(number: int) -> dict[str, Any]:
    """Give objects that JSON has no words for."""
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    return {"thing": {"bytes": b"\x00\xff", "date": moment, "set": {2, 1}, "nan": float("nan"), "object": number}}


@op(inputs={"number": NUMBER}, outputs={"doubled": DOUBLED})
async def wait(number: int) -> dict[str, int]:
    """Wait for ever, except for 1."""
    if number != 1:
        await asyncio.Event().wait()
    return {"doubled": number * 2}


@op(inputs={"number": NUMBER}, outputs={"doubled": DOUBLED})
def hang(number: int) -> dict[str, int]:
    """Hang a thread for ever, except for 1."""
    if number != 1:
        threading.Event().wait()
    return {"doubled": number * 2}


PATH = Definition("path", "string")
FOLDER = Definition("folder", "string")


@op(inputs={"path": PATH}, outputs={"folder": FOLDER})
def make(path: str) -> dict[str, str] | None:
    """Make a folder; "none" is none."""
    if path == "none":
        return None
    os.mkdir(path)
    return {"folder": path}


@op(inputs={"folder": FOLDER}, outputs={})
async def hold(folder: str) -> None:
    """Use the folder for ever."""
    click.echo(f"made {folder}", err=True)
    await asyncio.Event().wait()


@op(inputs={"folder": FOLDER}, outputs={}, stage=Stage.CLEANUP)
def remove(folder: str) -> None:
    """Remove the folder."""
    os.rmdir(folder)


CHECKED = Definition("checked", "int", validate="small")


@op(name="small", inputs={"value": CHECKED}, outputs={"checked": CHECKED}, validator=True)
def small(value: int) -> dict[str, int]:
    """Refuse numbers of 10 and more."""
    if value >= 10:
        raise ValueError(f"{value} is too large, 9 is the most")
    return {"checked": value}


@op(inputs={"checked": CHECKED}, outputs={"doubled": DOUBLED})
def double_checked(checked: int) -> dict[str, int]:
    """Double what has been checked."""
    return {"doubled": checked * 2}


@op(inputs={"number": NUMBER}, outputs={"number": NUMBER})
def grow(number: int) -> dict[str, int]:
    """Feed itself for ever."""
    return {"number": number + 1}


@op(name="five", inputs=dict.fromkeys("abcde", NUMBER), outputs={})
def five(a: int, b: int, c: int, d: int, e: int) -> dict[str, int]:
    """Take five numbers: a thousand of them would be 10^15 combinations."""
    return {}


exploding = DataFlow(five)
doubling = _wanting(double, names=["doubled"])
seeded = _wanting(double, names=["doubled"], seed=[Input(7, NUMBER)])
combining = _wanting(combine, names=["thing"])
oddities = _wanting(objects, names=["thing"])
waiting = _wanting(wait, names=["doubled"])
hanging = _wanting(hang, names=["doubled"])
holding = DataFlow(make, hold, remove)
checking = _wanting(small, double_checked, names=["doubled"])
bounded = _wanting(double, names=["doubled"], limits=Limits(inputs=3, value_bytes=100))
growing = DataFlow(
    grow,
    limits=Limits(parameter_sets=50),
    flow={"numbers_flows:grow": {"inputs": {"number": ["seed", {"numbers_flows:grow": "number"}]}}},
)
missing = DataFlow(double.op, implementations={})
unwritable = _wanting(double, names=["doubled"], seed=[Input(object(), THING)])
