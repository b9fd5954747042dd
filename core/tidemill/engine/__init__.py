"""What happens, decided: pure functions and plain records, without I/O, clock, event loop or randomness.

A backend stores what these functions decide. The five networks have a file of the same name here, in `networks` and in
each backend: `inputs`, `operations`, `implementations`, `redundancy`, `locks`; the other files are verbs of theirs.
"""
