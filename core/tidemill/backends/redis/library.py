"""Puts the library together out of its files, in an order in which each finds what it needs.

The version of the layout is part of the library's name and of every function's and key's, so two layouts run side by
side.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["FILES", "LAYOUT", "assembled"]

LAYOUT = 1
"""The version of keys, records and requests. Whatever changes one of them changes this."""

FILES = (
    "language",
    "packing",
    "state",
    "writing",
    "chores",
    "journal",
    "groups",
    "blobs",
    "quarantine",
    "inputs",
    "fetching",
    "paths",
    "order",
    "sorting",
    "operations",
    "candidates",
    "matching",
    "identities",
    "redundancy",
    "locks",
    "counting",
    "implementations",
    "waking",
    "holding",
    "leases",
    "keeping",
    "ending",
    "defaults",
    "stages",
    "children",
    "bearing",
    "forwarding",
    "opening",
    "settle",
    "reports",
    "ahead",
    "runners",
    "contexts",
    "staging",
    "submitting",
    "work",
    "looking",
    "watching",
    "auditing",
    "measuring",
    "places",
    "clearing",
    "grouping",
    "together",
    "workers",
)


VERBS = FILES[FILES.index("contexts") + 1 :]
"""Files that register verbs; no other uses their locals, so each is a block: a chunk has room for 200 of them."""


@cache
def assembled() -> str:
    """Return the source of the library."""
    folder = resources.files("tidemill.backends.redis") / "functions"
    parts = [(folder / f"{name}.lua").read_text("utf-8") for name in FILES]
    parts = [f"do\n{part}end\n" if name in VERBS else part for name, part in zip(FILES, parts, strict=True)]
    return f"#!lua name=tidemill_{LAYOUT}\n" + "\n".join(parts)
