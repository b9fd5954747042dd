"""The journal: what happened to a context, as events of which each names the event that caused it.

A leaf: backends note facts, and whoever wants to know reads events; the engine knows nothing of it. `event` is what
is read, `links` finds out what caused what, `rebuilt` makes the final state of a context out of its events alone,
`lineage` walks between results and seeds, `kept` is the journal inside one process, `openlineage` tells others in the
words of the standard.
"""
