"""Runs one parameter set: finds the code behind an operation, calls it where it should run, and reports what became
of it.

Knows the contract of the networks and no backend. `decorator` and `implementation` are what users write operations
with; `find` finds them by name; `calls` and the executors call them; `runner` is the worker inside this process.
"""
