"""A cluster with Tidemill in it, as the measurements use it: kubectl, a proxy of its API, a forwarded port, a watch."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 300.0
"""How long anything may take that is waited for."""


@dataclass(frozen=True)
class Event:
    """An object of a watch, and when it was seen."""

    at: float
    said: dict[str, Any]


class Kube:
    """A namespace of a cluster, by its kubectl."""

    def __init__(self, namespace: str, environment: Mapping[str, str] | None = None) -> None:
        self.namespace = namespace
        self._environment = {**os.environ, **(environment or {})}

    def run(self, *words: str, given: Any = None) -> str:
        """Run kubectl and return what it printed. Raises RuntimeError with what it said against it."""
        text = None if given is None else json.dumps(given)
        command = ["kubectl", "-n", self.namespace, *words]
        done = subprocess.run(
            command, input=text, env=self._environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *words: str) -> Any:
        """Return an object, or a list of them."""
        return json.loads(self.run("get", *words, "-o", "json"))

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects."""
        self.run("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": list(objects)})

    def delete(self, *what: str) -> None:
        """Delete objects ("kind/name"), and wait until they are gone."""
        self.run("delete", *what, "--ignore-not-found", f"--timeout={SECONDS:.0f}s")

    @contextlib.contextmanager
    def forwarded(self, what: str, port: int) -> Iterator[int]:
        """Forward a port meanwhile, and give its number here."""
        with self._listening("-n", self.namespace, "port-forward", what, f":{port}") as found:
            yield found

    @contextlib.contextmanager
    def metrics(self) -> Iterator[Callable[[str], str]]:
        """Give what reads the metrics of a pod, through a proxy that stays open."""
        with self._listening("proxy", "--port=0") as port:

            def read(pod: str) -> str:
                path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:8080/proxy/metrics"
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                    return str(answer.read().decode())

            yield read

    @contextlib.contextmanager
    def _listening(self, *words: str) -> Iterator[int]:
        command = ["kubectl", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=self._environment, text=True) as process:
            try:
                assert process.stdout is not None
                where = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
                if where is None:
                    raise RuntimeError(f"{' '.join(command)} does not listen")
                yield int(where[1])
            finally:
                process.terminate()

    @contextlib.contextmanager
    def watched(self, *words: str) -> Iterator[Watch]:
        """Give what a watch of objects sees."""
        command = ["kubectl", "-n", self.namespace, "get", *words, "--watch-only", "-o", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=self._environment, text=True) as process:
            watch = Watch(process)
            try:
                yield watch
            finally:
                process.terminate()


class Watch:
    """The events of a watch, each with the moment at which it came."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.events: list[Event] = []
        self._process = process
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        text, decoder = "", json.JSONDecoder()
        for line in self._process.stdout:
            text += line
            if line.rstrip() != "}":  # the end of an object, as kubectl prints them
                continue
            said, _ = decoder.raw_decode(text.lstrip())
            text = ""
            with self._news:
                self.events.append(Event(time.perf_counter(), said))
                self._news.notify_all()

    def first(self, holds: Callable[[dict[str, Any]], bool]) -> Event:
        """Wait for the first event of which something holds, and return it. Raises RuntimeError if none comes."""
        with self._news:
            found = self._news.wait_for(lambda: next((one for one in self.events if holds(one.said)), None), SECONDS)
        if found is None:
            raise RuntimeError(f"a watch has not seen in {SECONDS:.0f} s what was waited for")
        return found


def condition(said: Mapping[str, Any], kind: str) -> bool:
    """Say whether a condition of an object is true."""
    conditions = said.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)
