"""Inputs of a new context that are too many for one call: they wait in the store until all are there.

A call keeps the store from everybody else, so it brings no more than `OFFERS` inputs or `BYTES` of a context.
Neighbours: `mail` (which opens contexts), ``functions/staging.lua``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.patience import patiently

__all__ = ["BYTES", "OFFERS", "Staging", "size_of"]

OFFERS = 64
"""Inputs that one call brings."""
BYTES = 1 << 20
"""Encoded values that one call brings, unless a single one is larger."""


def size_of(offers: Sequence[Any]) -> int:
    """Return how long the encoded values of some offers are together."""
    return sum(len(offer[1]) for offer in offers)


class Staging:
    """Brings the offers of new contexts to the store, in pieces."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def brought(self, request: list[Any]) -> list[Any]:
        """Return a request to open a context (see `mail.Mailbox.submit`) as it is to be sent: one with too many offers
        has them staged."""
        offers = request[2]
        if len(offers) <= OFFERS and size_of(offers) <= BYTES:
            return request
        stage, pieces = uuid.uuid4().hex, list(_pieces(offers))
        at = 0
        while at < len(pieces):  # the store may have fallen back to before it had some
            call = partial(self._client.call, "stage", stage, at, pieces[at])
            at = await patiently(call, "inputs of a new context")
        return [request[0], request[1], [], *request[3:], stage, len(pieces)]

    async def fed(self, name: str) -> None:
        """Have all that is staged of a context go into it. Whoever calls the store does a piece of that too."""
        while await patiently(partial(self._client.call, "feed", name), "inputs of a new context"):
            pass


def _pieces(offers: Sequence[Any]) -> Iterator[list[Any]]:
    piece: list[Any] = []
    size = 0
    for offer in offers:
        if piece and (len(piece) == OFFERS or size + len(offer[1]) > BYTES):
            yield piece
            piece, size = [], 0
        piece.append(offer)
        size += len(offer[1])
    yield piece
