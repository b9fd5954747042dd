"""What a worker counts. Labels of its own metrics are words of this program; those of operations have the names of data
flows and operations, and what operations say themselves, as many as a recorder has room for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from tidemill.metrics.exposition import Exposed
from tidemill.metrics.series import Recorder

__all__ = ["Metrics"]

KNOWN = {
    "reports": ("completed", "failed"),
    "beats": ("ok", "failed", "gone"),
    "ended": ("signal", "exit", "memory"),
    "taken_back": ("expired", "released", "lost"),
    "printed": ("shown", "hidden"),
}
"""What labels say that alerts look at. A series that begins with its first event has not grown, for Prometheus."""


class Metrics:
    """The metrics of one worker, in a registry of their own. ``operations`` has what runners have told of theirs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.operations = Recorder()
        self.registry.register(Exposed(self.operations))

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"tidemill_worker_{name}", about, labels, registry=self.registry)

        def gauge(name: str, about: str) -> Gauge:
            return Gauge(f"tidemill_worker_{name}", about, registry=self.registry)

        self.reports = counter("reports", "Reports that the store has taken, by kind", "kind")
        self.beats = counter("beats", "Beats, by how they went", "result")
        self.ended = counter("runners_ended", "Runners that have ended, by cause", "cause")
        self.taken_back = counter("taken_back", "Parameter sets taken back from runners and workers, by cause", "cause")
        self.printed = counter("printed_bytes", "Bytes that operations have printed, shown in the log or not", "how")
        for counted, words in KNOWN.items():
            for word in words:
                getattr(self, counted).labels(word)
        self.expired = counter("expired", "Other workers that this one has found dead")
        self.lives = counter("lives", "How often the worker has begun under a new id")
        self.runners = gauge("runners", "Runners that are ready")
        self.running = gauge("running", "Parameter sets that are being run")
        self.slots = gauge("slots", "Parameter sets that can be run at once")
        self.paused = gauge("paused", "1 while nothing is taken because memory is short")
        self.memory = gauge("memory_bytes", "Bytes of memory that the worker uses")
        self.memory_limit = gauge("memory_limit_bytes", "Bytes of memory that the worker may use; 0: no limit")
        self.silence = gauge("silence_seconds", "Seconds since the store has answered")

    def print(self, shown: int, hidden: int) -> None:
        """Count bytes that operations have printed."""
        self.printed.labels("shown").inc(shown)
        self.printed.labels("hidden").inc(hidden)

    def text(self) -> bytes:
        """Return all of them in the format that Prometheus reads."""
        return generate_latest(self.registry)
