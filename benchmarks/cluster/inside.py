"""Workers in pods, and the store of the release through a forwarded port. The store is asked by who measures only."""

import base64
import contextlib
import urllib.parse
from collections.abc import Iterator

from benchmarks.cluster import flows
from benchmarks.cluster.kube import Kube
from benchmarks.cluster.rate import Workers

STORE = "tidemill-store"


@contextlib.contextmanager
def inside(kube: Kube, workers: int, slots: int) -> Iterator[Workers]:
    """Give so many worker pods with one runner each."""
    name = "bench-rate"
    try:
        kube.apply(flows.modules(), flows.dataflow(name, pool={"replicas": workers, "slots": slots}))
        kube.run("wait", f"dataflow/{name}", "--for=condition=WorkersAvailable", "--timeout=180s")
        kube.run("rollout", "status", f"deployment/{name}-{flows.POOL}", "--timeout=180s")
        with kube.forwarded(f"service/{STORE}", 6379) as port:
            yield Workers(_url(kube, port), f"tm-{kube.namespace}", f"{name}.{flows.POOL}")
    finally:
        kube.delete(f"dataflow/{name}", "configmap/bench")


def _url(kube: Kube, port: int) -> str:
    said = urllib.parse.urlsplit(base64.b64decode(kube.get("secret", STORE)["data"]["url"]).decode())
    return said._replace(netloc=f"{said.username}:{said.password}@127.0.0.1:{port}").geturl()
