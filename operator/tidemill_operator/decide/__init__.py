"""What is to be done, out of what was seen: no I/O, no clock, nothing but plain data in and plain data out.

`reconcile` has a pass over an object, out of `conditions` (what is true of it), `resources` (what it owns) and
`scaling` (how many workers). Neighbours: `tidemill_operator.observed` (what was seen), `tidemill_operator.apply` (who
does it).
"""
