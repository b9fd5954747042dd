"""Metrics: what operations and the engine count and measure, and how long a data flow is expected to take.

::

    from tidemill import metrics

    pages = metrics.counter("pages_total", "Pages that were fetched", "status")

    @tidemill.op
    async def fetch(url: str) -> str:
        ...
        pages.inc(status=200)
        metrics.progress(3, 10)

The same calls work wherever an operation runs: on the loop, in a thread, in a process. What they count is labelled by
data flow and operation without being told. A leaf: it knows nothing of engine, backends and runtime, which call it.
Files: `histograms` (mergeable), `series` (what was counted, bounded), `calls` (whose it is), `instruments` (the calls
above), `measured` (what the engine records), `programs` (other programs), `exposition` (Prometheus), `estimate`.
"""

from tidemill.metrics.estimate import Estimate
from tidemill.metrics.histograms import Histogram
from tidemill.metrics.instruments import counter, gauge, histogram, progress
from tidemill.metrics.programs import programs
from tidemill.metrics.series import Recorder

__all__ = ["Estimate", "Histogram", "Recorder", "counter", "gauge", "histogram", "programs", "progress"]
