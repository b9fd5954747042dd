"""What the operator counts. Labels are words of this program or kinds of ours; names of objects only where a setting
asks for them, and those are gone with the object."""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds of a pass."""
OBJECT = ("kind", "namespace", "name")


class Metrics:
    """The metrics of one operator, in a registry of their own. ``objects``: some have the names of objects as
    labels."""

    def __init__(self, *, objects: bool = False) -> None:
        self.registry = CollectorRegistry()
        self._objects = objects

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"tidemill_operator_{name}", about, labels, registry=self.registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(f"tidemill_operator_{name}", about, labels, registry=self.registry)

        gauge("build_info", "The version that runs; always 1", "version").labels(version("tidemill")).set(1)
        self.objects = gauge("objects", "Objects that are looked after, by kind", "kind")
        self.passes = counter("passes", "Passes over objects, by kind and how they went", "kind", "result")
        self.seconds = Histogram(
            "tidemill_operator_pass_seconds", "Seconds of a pass", ("kind",), buckets=BUCKETS, registry=self.registry
        )
        self.rejected = counter("rejected", "Objects that were not accepted, by reason", "reason")
        self.requests = counter(
            "api_requests", "Requests to the API server, by verb and status; 0: lost", "verb", "code"
        )
        self.statuses = counter("status_writes", "Statuses that were written, by kind", "kind")
        self.events = counter("events", "Events that were posted, by type", "type")
        self.opened = counter("contexts_opened", "Contexts that were opened in stores")
        self.scaled = counter("scalings", "Changes of the number of workers, by direction", "direction")
        self.jobs = counter("jobs", "Jobs of pools that were created and deleted, by verb", "verb")
        self.store_errors = counter("store_errors", "Calls of stores that failed, by reason", "reason")
        self.recoveries = counter("recoveries", "Stores that came back with less than they had, and were recovered")
        self.stores = gauge("stores", "Stores, one for each namespace, to which connections are open")
        self.leader = gauge("leader", "1 while this process holds the Lease")
        self.canary = gauge("canary_age_seconds", "Seconds since something was written that was not seen again yet")
        self.lag = gauge("loop_lag_seconds", "Seconds that the event loop is late")
        self.silence = gauge("api_silence_seconds", "Seconds since the API server has answered")
        self.memory = gauge("memory_bytes", "Bytes of memory that the process uses")
        self._contexts = (
            gauge("object_contexts", "Contexts of an object, by state", *OBJECT, "state") if objects else None
        )
        self._workers = (
            gauge("object_workers", "Workers of a pool, by state", *OBJECT, "pool", "state") if objects else None
        )
        self._backlog = gauge("object_backlog", "Parameter sets ready in a pool", *OBJECT, "pool") if objects else None

    def tell(
        self, place: tuple[str, str, str], contexts: dict[str, int], pools: dict[str, tuple[int, int, int]]
    ) -> None:
        """Say how far an object is: ``place`` is its kind, namespace and name, ``pools`` have (workers that there are
        to be, those that are ready, parameter sets that are ready)."""
        if self._contexts is None or self._workers is None or self._backlog is None:
            return
        for state, many in contexts.items():
            self._contexts.labels(*place, state).set(many)
        for pool, (desired, ready, backlog) in pools.items():
            self._workers.labels(*place, pool, "desired").set(desired)
            self._workers.labels(*place, pool, "ready").set(ready)
            self._backlog.labels(*place, pool).set(backlog)

    def forget(self, place: tuple[str, str, str]) -> None:
        """Forget what was said of an object that is gone."""
        for one in (self._contexts, self._workers, self._backlog):
            if one is not None:
                one.remove_by_labels(dict(zip(OBJECT, place, strict=True)))

    def text(self) -> bytes:
        """Return all of them in the format that Prometheus reads."""
        return generate_latest(self.registry)
