"""What Tidemill costs, measured beside DFFML's MemoryOrchestrator and beside plain awaits.

`python -m benchmarks` runs the cases of `catalogue.py`, each run in a fresh process (`processes.py` starts the
modules of `drivers/`), and prints one table of ratios (`table.py`) and what became of the goals (`goals.py`).
Everything under `drivers/` also runs on Python 3.8, because DFFML 0.4 needs such an old one.
"""
