"""Runs data flows: opens contexts on a backend, runs what they make ready, and hands out how they ended.

`memory` is the orchestrator inside this process, `run` the short way to it, `input_sets` what it is given.
"""
