"""Contexts that come by the HTTP API while pods of every kind are killed: each has to end once, with its own result.

Half of the kills are SIGKILL to a container, which is started anew in its pod; the others are pods that are deleted
without any grace. Pieces of the work are submitted as kills go on, so that there is always something to lose.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.flows import doubling, module, workers_of
from tests.e2e.node import Node
from tests.e2e.place import Place

__all__ = ["Storm", "tidemill"]

AHEAD = 3
"""Pieces that are submitted before the first kill."""
WORKERS = 3
SECONDS = 0.1
"""How long each operation runs."""


def tidemill(place: Place, token: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Type a command, which finds the API by kubectl."""
    verb, *rest = words
    command = [sys.executable, "-m", "tidemill.cli", verb, "-n", place.namespace, "--token-file", str(token), *rest]
    return place.run(*command, given=given, timeout=600)


@dataclass
class Storm:
    """What is submitted, who is killed how often, and what has happened."""

    place: Place
    node: Node
    token: Path
    contexts: int
    kills: Mapping[str, int]
    number: int = 7
    seconds: float = 0.0
    again: int = 0
    """Submits that had to be sent again."""
    waits: dict[str, float] = field(default_factory=dict)
    """The longest wait for a pod of each kind to be ready to be killed."""
    problem: BaseException | None = None

    def run(self, name: str) -> dict[str, Any]:
        """Do it, and return the status of the data flow when it has ended. Raises `AssertionError` if it never does."""
        began = time.monotonic()
        self._allowed = threading.Semaphore(AHEAD)
        module(self.place)
        self.place.apply(doubling(name, pool={"replicas": WORKERS, "slots": 8}))
        self.place.until(lambda: self.place.condition(name, "Accepted").get("status") == "True", "it was accepted")
        submitting = threading.Thread(target=self._submit_all, args=(name,))
        submitting.start()
        try:
            self._kill_all(name)
        finally:
            self._allowed.release(len(self._victims()))  # whatever happened, that ends
            submitting.join()
        if self.problem is not None:
            raise self.problem
        status: dict[str, Any] = self.place.until(
            lambda: self._ended(name),
            f"{self.contexts} contexts have ended",
            600,
            show=lambda: self.place.status(name),
        )
        self.seconds = time.monotonic() - began
        return status

    def results(self, name: str) -> list[int]:
        """Return every result that the API has."""
        found = self._typed("results", name, "-o", "jsonl")
        return [json.loads(line)["result"]["double"] for line in found.splitlines()]

    def check(self, status: Mapping[str, Any], results: list[int]) -> None:
        """Raise `AssertionError` unless all of it has happened, once."""
        many = self.contexts
        assert status["contexts"] == {"open": 0, "succeeded": many, "failed": 0, "total": many}, status
        assert status["parameterSets"]["completed"] == 2 * many, status  # double and the output operation
        assert sorted(results) == [2 * number for number in range(many)], "results are missing, or there twice"

    def said(self) -> str:
        """Return what has happened, in a line."""
        kills = ", ".join(f"{many} {who}" for who, many in self.kills.items())
        waits = ", ".join(f"{who} {wait:.0f} s" for who, wait in self.waits.items())
        return (
            f"{self.contexts} contexts in {self.seconds:.0f} s; killed: {kills}; the longest wait for one: "
            f"{waits}; {self.again} requests were sent again"
        )

    def _victims(self) -> list[str]:
        every = [who for who, many in self.kills.items() for _ in range(many)]
        random.Random(self.number).shuffle(every)
        return every

    def _pieces(self) -> list[range]:
        many = AHEAD + len(self._victims())
        bounds = [at * self.contexts // many for at in range(many + 1)]
        return [range(begin, end) for begin, end in zip(bounds, bounds[1:], strict=False)]

    def _submit_all(self, name: str) -> None:
        try:
            for at, piece in enumerate(self._pieces()):
                self._allowed.acquire()
                lines = "".join(f'{{"number": {number}, "seconds": {SECONDS}}}\n' for number in piece)
                words = ("submit", name, "--inputs", "-", "--key", f"piece-{at}", "-o", "jsonl")
                said = self._typed(*words, given=lines)
                assert len(said.splitlines()) == len(piece), said[-500:]
        except BaseException as error:  # it is told by the thread that waits for this one
            self.problem = error

    def _typed(self, *words: str, given: str = "") -> str:
        """Type a command again and again, until the API was there for all of it."""
        end = time.monotonic() + 300
        while True:
            done = tidemill(self.place, self.token, *words, given=given)
            if done.returncode == 0:
                return done.stdout
            self.again += 1
            assert time.monotonic() < end, f"{words[0]}: {done.stderr[-1000:]}"

    def _kill_all(self, name: str) -> None:
        drawn = random.Random(self.number)
        for at, who in enumerate(self._victims()):
            label = workers_of(name) if who == "worker" else f"app.kubernetes.io/component={who}"
            began = time.monotonic()
            self.place.until(partial(self._killed, label, drawn, at % 2 == 0), f"a {who} is ready, to be killed")
            self.waits[who] = max(self.waits.get(who, 0.0), time.monotonic() - began)
            self._allowed.release()

    def _killed(self, label: str, drawn: random.Random, hard: bool) -> bool:
        """Kill one of the pods with these labels that are ready, and say whether there was one."""
        pods = [one for one in self.place.pods(label) if _ready(one)]
        if not pods:
            return False
        pod = drawn.choice(pods)
        if hard:
            return self.node.kill(pod)
        name = pod["metadata"]["name"]
        self.place.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
        return True

    def _ended(self, name: str) -> dict[str, Any] | None:
        status = self.place.status(name)
        contexts = status.get("contexts", {})
        return status if contexts.get("succeeded", 0) + contexts.get("failed", 0) >= self.contexts else None


def _ready(pod: dict[str, Any]) -> bool:
    said = pod["status"].get("containerStatuses")
    return bool(said) and all(one["ready"] for one in said)
