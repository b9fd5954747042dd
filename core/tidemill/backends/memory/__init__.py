"""The engine in one process: no serialisation, any Python object is a value, no locks since one thread does it all.

It is the simplest complete backend and the oracle for every other one.
"""
