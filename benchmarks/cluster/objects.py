"""What an operator needs for many objects: memory, and processor time while nothing happens.

How far it is goes to standard error. It ends however slow the machine is: either something moves, or the time for
that is over and the error says what did not.
"""

import re
import sys
import time
from collections.abc import Callable

from benchmarks.cluster import flows
from benchmarks.cluster.kube import SECONDS, Kube

LABEL = "app.kubernetes.io/component=operator"
PIECE = 50
"""Objects that one kubectl applies or deletes."""
OFTEN = 5.0
"""Seconds between two looks."""
MIB = 1 << 20

Read = Callable[[], str]


def measured(kube: Kube, many: int, idle: float) -> dict[str, float]:
    """Return MiB and the share of a processor over ``idle`` seconds, with so many data flows that have ended."""
    names = [f"bench-{at:04d}" for at in range(many)]
    pod = str(kube.get("pods", "-l", LABEL)["items"][0]["metadata"]["name"])
    with kube.metrics() as metrics:

        def read() -> str:
            return metrics(pod)

        before, written = _value(read(), MEMORY) / MIB, _value(read(), WRITES)
        try:
            _applied(kube, names)
            _settled(read, many, written)
            say(f"looking for {idle:.0f} s at what it takes while nothing happens")
            used = _cpu(kube, pod)
            time.sleep(idle)
            share = (_cpu(kube, pod) - used) / idle
            memory = _value(read(), MEMORY) / MIB
        finally:
            _deleted(kube, names)
    return {"objects": many, "before_mib": before, "memory_mib": memory, "idle_cpu": share}


MEMORY = "tidemill_operator_memory_bytes"
OBJECTS = 'tidemill_operator_objects{kind="DataFlow"}'
WRITES = 'tidemill_operator_status_writes_total{kind="DataFlow"}'


def say(what: str) -> None:
    """Tell whoever waits how far it is."""
    print(what, file=sys.stderr, flush=True)


def _applied(kube: Kube, names: list[str]) -> None:
    kube.apply(flows.modules())
    for at in range(0, len(names), PIECE):
        some = names[at : at + PIECE]
        kube.apply(*(flows.dataflow(name, pool={"minReplicas": 0, "maxReplicas": 1}) for name in some))
        say(f"applied {at + len(some)} of {len(names)} data flows")


def _deleted(kube: Kube, names: list[str]) -> None:
    """Delete the data flows, and wait until they are gone; a piece of them at a time, so that it is seen to go on."""
    for at in range(0, len(names), PIECE):
        some = names[at : at + PIECE]
        kube.delete(*(f"dataflow/{name}" for name in some))
        say(f"deleted {at + len(some)} of {len(names)} data flows")
    kube.delete("configmap/bench")


def _settled(read: Read, many: int, written: float, *, within: float = SECONDS, often: float = OFTEN) -> None:
    """Wait until each of so many objects has its status, beside the ``written`` ones of before, and no more are
    written. Raises RuntimeError where ``within`` seconds pass in which it has come no nearer to that."""
    deadline, most, last = time.monotonic() + within, -1.0, -1.0
    while True:
        said = read()
        objects, writes = _value(said, OBJECTS), _value(said, WRITES) - written
        if objects >= many and writes >= many and writes == last:
            return
        if (near := min(writes, many)) > most:
            deadline, most = time.monotonic() + within, near
        elif time.monotonic() > deadline:
            break
        last = writes
        say(f"{objects:.0f} of {many} data flows are known, {writes:.0f} statuses were written")
        time.sleep(often)
    raise RuntimeError(
        f"the operator came no nearer to rest within {within:.0f} s: it knows {objects:.0f} of {many} data flows, and "
        f"has written {writes:.0f} statuses"
    )


def _value(said: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", said, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _cpu(kube: Kube, pod: str) -> float:
    """Return the seconds of processor time that the operator has had."""
    script = "import os; s = open('/proc/1/stat').read().rpartition(')')[2].split(); "
    script += "print((int(s[11]) + int(s[12])) / os.sysconf('SC_CLK_TCK'))"
    return float(kube.run("exec", pod, "--", "python", "-c", script))
