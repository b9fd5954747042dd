"""Databases that operations use: `db.base` says what one can do, `db.sqlite` is the one that comes with Tidemill.

The names are those of DFFML. Neighbour: `operation.db` makes operations of them.
"""
