"""The worker: a process that takes parameter sets from a store, runs them, and says what became of them.

`supervisor` keeps the worker alive in the eyes of others and its runners in hand, and runs no user code. `runner` is a
process that does. Nothing that matters is kept in either: killed at any moment, they lose nobody's work.
"""
