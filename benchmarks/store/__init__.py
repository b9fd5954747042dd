"""What Tidemill costs over a store, beside other engines that distribute work.

`python -m benchmarks.store` starts a store, two workers and a submitter for each measurement (`driver.py`,
`system.py`), reads from the kernel what each process used (`meter.py`), and prints tables and goals. Where the
programs that drive other engines are at hand (`peers.py`) they run the same workloads over the same server settings in
the same run.
"""
