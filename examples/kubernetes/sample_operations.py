"""The operations of tour.yaml and fan-out.yaml.

In the one a shop takes an order apart, charges for each item at one till and packs it; the other squares numbers.
Nothing here knows of Tidemill: the data flow says what the functions take and give. In a cluster the file is in a
ConfigMap, which is enough to try things; in earnest operations are in an image.
"""

from __future__ import annotations

__all__ = ["charge", "close", "is_open", "items", "label", "numbers", "pack", "square", "till"]


def is_open(day: str) -> dict[str, bool]:
    """Say whether the shop is open: a condition, without which nothing is sold."""
    return {"open": day != "sunday"}


def items(order: list[str]) -> dict[str, list[str]]:
    """Take an order apart: the data flow expands the list, so that each item is an input of its own."""
    return {"items": order}


def till() -> dict[str, dict[str, int]]:
    """Open the one till; it takes nothing, so it runs once."""
    return {"till": {"number": 1}}


def charge(item: str, till: dict[str, int]) -> dict[str, str]:
    """Charge for an item. The definition of the till has a lock, so no two workers are at it at once."""
    return {"receipt": f"{item}: {len(item)}.00 at till {till['number']}"}


def label(item: str) -> dict[str, str]:
    """Write the label of a parcel: the first operation of the data flow within."""
    return {"label": item.upper()}


def pack(label: str) -> dict[str, str]:
    """Pack what a label says: the second operation of the data flow within."""
    return {"parcel": f"[{label}]"}


def close(till: dict[str, int]) -> None:
    """Close the till when everything is charged: an operation of the stage cleanup."""


def numbers(count: int) -> dict[str, list[int]]:
    """Count: the data flow expands the list."""
    return {"numbers": list(range(1, count + 1))}


def square(number: int) -> dict[str, int]:
    """Square a number."""
    return {"square": number * number}
