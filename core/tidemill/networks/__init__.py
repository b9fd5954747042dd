"""What a backend promises: one Protocol for each of the five networks, and `backend` for the whole.

A backend is right when it passes the contract suite (`tests/contract`), which knows nothing but these promises.
"""
