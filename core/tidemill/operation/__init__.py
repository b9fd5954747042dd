"""Operations that come with Tidemill: those that make results, and those that run data flows.

They are written with what every user has, `op` and `OperationImplementationContext`; the engine knows none of them.
"""
