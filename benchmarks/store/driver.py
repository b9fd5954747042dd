"""The process of one measurement: it keeps the store and the workers, and is the submitter.

`python -m benchmarks.store.driver [durability]` reads a command a line, as JSON, and answers each with a line, in the
words of the drivers of other engines: {"do": "start"}, {"do": "run", "workload": "chains", "n": 1000}, {"do": "quit"}.
"""

import contextlib
import json
import os
import sys
import traceback
from typing import Any

from benchmarks.store.probes import PROBES
from benchmarks.store.server import Server
from benchmarks.store.system import System


class Driver:
    """What is under way."""

    def __init__(self, durability: str) -> None:
        self._durability = durability
        self._stack = contextlib.ExitStack()
        self._system: System | None = None

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Obey a command and return what is to be said."""
        if command["do"] == "profile":
            return {"profile": "default"}
        if command["do"] == "start":
            server = self._stack.enter_context(Server(self._durability))
            self._system = System(server.url, self._durability)
            self._stack.callback(self._system.stop)
            self._system.start()
            self._system.ready()
            return {"server_pid": server.pid}
        if command["do"] == "run":
            assert self._system is not None
            return {"result": self._system.run(command["workload"], command["n"])}
        if command["do"] == "probe":
            assert self._system is not None
            return {"figures": self._system.call(PROBES[command["name"]](self._system, command["n"]))}
        self.end()
        return {}

    def end(self) -> None:
        """End what there is."""
        self._stack.close()


def main() -> None:
    """Obey until there are no more commands."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed on the way is no answer
    driver = Driver(*sys.argv[1:])
    try:
        for line in sys.stdin:
            try:
                answer = {"ok": True, **driver.do(json.loads(line))}
            except Exception as error:
                traceback.print_exc()
                answer = {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
            out.write(json.dumps(answer) + "\n")
            out.flush()
    finally:
        driver.end()


if __name__ == "__main__":
    main()
