"""Random data flows run by DFFML itself and by Tidemill, through one driver: the same calls, the same results.

The driver is the same file for both, so it says too that DFFML's API is here. Skipped, loudly, where there is no DFFML.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tidemill
from tests.compat import flow_driver, random_flows
from tests.dffml_peer import peer_python

DRIVER = Path(flow_driver.__file__)
FLOWS = 300
MOST = 120
"""Calls of one data flow: DFFML's cost grows with their square."""


class Peer:
    """DFFML in one process of its own, which answers a line for a line."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(DRIVER), "dffml"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def answer(self, said: dict[str, Any]) -> dict[str, Any]:
        """Return what DFFML makes of a description; fails the test when that takes longer than a minute."""
        assert self._process.stdin and self._process.stdout
        late = threading.Timer(60, self._process.kill)
        late.start()
        try:
            self._process.stdin.write(json.dumps(said) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            late.cancel()
        assert line, f"DFFML gave no answer to {json.dumps(said)}"
        answered: dict[str, Any] = json.loads(line)
        return answered

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    found = Peer(peer_python())
    yield found
    found.close()


def asking(said: dict[str, Any]) -> dict[str, Any] | None:
    """Return the description with output operations that ask for what is there; None for one that is too large."""
    calls = flow_driver.answer(tidemill, said)["calls"]
    if not calls or len(calls) > MOST:
        return None
    present = []
    for inputs in said["contexts"].values():
        names = [definition for _, definition in [*inputs, *said["seed"]]]
        given = {value for value, _ in inputs}
        for name, parameters, outputs in calls:
            if outputs and any(str(value).startswith(tuple(given)) for _, value in parameters):
                [operation] = [one for one in said["operations"] if one["name"] == name]
                names += [operation["outputs"][key] for key, value in outputs.items() if value]
        present.append(Counter(names))
    everywhere = sorted(set.intersection(*(set(names) for names in present)))
    once = [name for name in everywhere if all(names[name] == 1 for names in present)]
    asked: dict[str, Any] = {"get_multi": everywhere} if everywhere else {}
    if once and len(said["contexts"]) == 1:
        asked["get_single"] = once
    return {**said, "asked": asked}


def as_bags(answered: dict[str, Any]) -> tuple[Any, Any]:
    """Return the calls and the results without the order of what happened, which neither promises to the other."""
    calls = Counter(json.dumps(call, sort_keys=True) for call in answered["calls"])
    return calls, json.loads(json.dumps(answered["results"], sort_keys=True), object_hook=_sorted)


def _sorted(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in sorted(mapping.items())}


def test_the_same_calls_and_the_same_results(peer: Peer) -> None:
    compared, seed, asked, drawn = 0, 0, 0, Counter[str]()
    while compared < FLOWS:
        seed += 1
        said = asking(random_flows.describe(seed))
        if said is None:
            continue
        ours, theirs = flow_driver.answer(tidemill, said), peer.answer(said)
        assert "error" not in theirs, (seed, theirs["error"], said)
        assert as_bags(ours) == as_bags(theirs), (seed, said)
        compared += 1
        asked += len(said["asked"])
        checked = any(name.startswith("check") for name, _, _ in ours["calls"])
        drawn.update(validated=checked, locked=bool(said["locked"]), gated=bool(said["gates"]))
    assert asked > FLOWS
    assert all(count > FLOWS / 10 for count in drawn.values()), drawn


def one_operation(name: str, inputs: dict[str, str], outputs: dict[str, str], **said: Any) -> dict[str, Any]:
    """Return the description of one operation."""
    usual = {"kind": "coroutine", "expand": [], "conditions": [], "stage": "processing"}
    return {"name": name, "inputs": inputs, "outputs": outputs, "nothing": False, "fails": False, **usual, **said}


def flow(operations: list[dict[str, Any]], *inputs: str) -> dict[str, Any]:
    """Return the description of a data flow over inputs of the definition s."""
    definitions = sorted({name for one in operations for side in ("inputs", "outputs") for name in one[side].values()})
    contexts = {"one": [[value, "s"] for value in inputs]}
    said = {"definitions": definitions, "gates": [], "seed": [], "asked": {}}
    return {**said, "operations": operations, "contexts": contexts}


def test_dffml_takes_a_pair_of_two_inputs_of_one_definition_in_one_order_only(peer: Peer) -> None:
    said = flow([one_operation("pair", {"left": "s", "right": "s"}, {})], "a", "b")
    assert len(flow_driver.answer(tidemill, said)["calls"]) == 4
    assert len(peer.answer(said)["calls"]) == 3


def test_dffml_forgets_what_follows_from_an_operation_that_waits_while_a_plain_function_ends(peer: Peer) -> None:
    said = flow(
        [
            one_operation("waiting", {"s": "s"}, {"d": "d"}, waits=1),
            one_operation("plain", {"s": "s"}, {"e": "e"}, kind="function"),
            one_operation("following", {"d": "d"}, {"f": "f"}),
        ],
        "a",
    )
    assert sorted(name for name, _, _ in flow_driver.answer(tidemill, said)["calls"]) == [
        "following",
        "plain",
        "waiting",
    ]
    assert sorted(name for name, _, _ in peer.answer(said)["calls"]) == ["plain", "waiting"]


def test_the_driver_runs_as_a_program_with_tidemill_too() -> None:
    said = json.dumps(random_flows.describe(3))
    program = [sys.executable, str(DRIVER), "tidemill"]
    done = subprocess.run(program, input=said + "\n", capture_output=True, text=True, timeout=120, check=True)
    assert as_bags(json.loads(done.stdout)) == as_bags(flow_driver.answer(tidemill, json.loads(said)))
