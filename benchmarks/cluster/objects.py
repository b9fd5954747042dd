"""What an operator needs for many objects: memory, and processor time while nothing happens."""

import re
import time
from collections.abc import Callable

from benchmarks.cluster import flows
from benchmarks.cluster.kube import SECONDS, Kube

LABEL = "app.kubernetes.io/component=operator"
PIECE = 200
"""Objects that one kubectl applies."""
MIB = 1 << 20


def measured(kube: Kube, many: int, idle: float) -> dict[str, float]:
    """Return MiB and the share of a processor over ``idle`` seconds, with so many data flows that have ended."""
    names = [f"bench-{at:04d}" for at in range(many)]
    made = [flows.dataflow(name, pool={"minReplicas": 0, "maxReplicas": 1}) for name in names]
    pod = str(kube.get("pods", "-l", LABEL)["items"][0]["metadata"]["name"])
    with kube.metrics() as read:
        before = _value(read(pod), "tidemill_operator_memory_bytes") / MIB
        try:
            kube.apply(flows.modules())
            for at in range(0, many, PIECE):
                kube.apply(*made[at : at + PIECE])
            _settled(read, pod, many)
            used = _cpu(kube, pod)
            time.sleep(idle)
            share = (_cpu(kube, pod) - used) / idle
            memory = _value(read(pod), "tidemill_operator_memory_bytes") / MIB
        finally:
            for at in range(0, many, PIECE):
                kube.delete(*(f"dataflow/{name}" for name in names[at : at + PIECE]))
            kube.delete("configmap/bench")
    return {"objects": many, "before_mib": before, "memory_mib": memory, "idle_cpu": share}


def _settled(read: Callable[[str], str], pod: str, many: int) -> None:
    """Wait until all objects were looked at, and nothing is written any more."""
    deadline, last = time.monotonic() + SECONDS, -1.0
    while time.monotonic() < deadline:
        said = read(pod)
        objects = _value(said, 'tidemill_operator_objects{kind="DataFlow"}')
        writes = _value(said, 'tidemill_operator_status_writes_total{kind="DataFlow"}')
        if objects >= many and writes >= many and writes == last:
            return
        last = writes
        time.sleep(5)
    raise RuntimeError(f"{many} objects were not looked at within {SECONDS:.0f} s")


def _value(said: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", said, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _cpu(kube: Kube, pod: str) -> float:
    """Return the seconds of processor time that the operator has had."""
    script = "import os; s = open('/proc/1/stat').read().rpartition(')')[2].split(); "
    script += "print((int(s[11]) + int(s[12])) / os.sysconf('SC_CLK_TCK'))"
    return float(kube.run("exec", pod, "--", "python", "-c", script))
