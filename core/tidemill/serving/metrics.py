"""What a server counts. Labels are paths of channels and words of this program, so their number is bounded."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        name, registry = "tidemill_serve", self.registry
        self.requests = Counter(
            f"{name}_requests", "Requests, by path of the channel and status", ["path", "status"], registry=registry
        )
        self.refused = Counter(
            f"{name}_refused", "Requests that were refused, by reason", ["reason"], registry=registry
        )
        self.seconds = Histogram(f"{name}_seconds", "Seconds until the answer", ["path"], registry=registry)
        self.contexts = Counter(
            f"{name}_contexts", "Contexts that ended, by path and status", ["path", "status"], registry=registry
        )
        self.open = Gauge(f"{name}_open", "Contexts that are open in this process", registry=registry)
        self.connections = Gauge(f"{name}_connections", "Connections", registry=registry)
        self.dropped = Counter(
            f"{name}_dropped", "Connections that were closed, by reason", ["reason"], registry=registry
        )

    def text(self) -> bytes:
        """Return all of them in the format that Prometheus reads."""
        return generate_latest(self.registry)
