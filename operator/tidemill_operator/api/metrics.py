"""What the HTTP API counts. Labels are words of this program: routes as they are written, methods, reasons."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds of a request."""


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"tidemill_api_{name}", about, labels, registry=self.registry)

        self.requests = counter("requests", "Requests, by route, method and status", "route", "method", "code")
        self.refused = counter("refused", "Requests that were refused, by reason", "reason")
        self.opened = counter("contexts_opened", "Contexts that clients have opened, or found open")
        self.dropped = counter("connections_dropped", "Connections that were closed, by reason", "reason")
        self.seconds = Histogram(
            "tidemill_api_request_seconds", "Seconds of a request", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.streams = Gauge("tidemill_api_streams", "Responses that last and are open", registry=self.registry)

    def text(self) -> bytes:
        """Return all of them in the format that Prometheus reads."""
        return generate_latest(self.registry)
