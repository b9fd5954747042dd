"""Inputs of a context that are too many for one call: they wait in the store until all are there.

A call keeps the store from everybody else, so it brings no more than `OFFERS` inputs or `BYTES` of a context.
Neighbours: `mail` (which opens contexts), `backend` (which adds to them), ``functions/staging.lua``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.patience import patiently

__all__ = ["BYTES", "OFFERS", "Staging", "is_much", "size_of"]

OFFERS = 64
"""Inputs that one call brings."""
BYTES = 1 << 20
"""Encoded values that one call brings, unless a single one is larger."""


def is_much(offers: Sequence[Any]) -> bool:
    """Say whether offers are too many for one call."""
    return len(offers) > OFFERS or size_of(offers) > BYTES


def size_of(offers: Sequence[Any]) -> int:
    """Return how long the encoded values of some offers are together."""
    return sum(len(offer[1]) for offer in offers)


class Staging:
    """Brings the offers of contexts to the store, in pieces."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def brought(self, request: list[Any]) -> list[Any]:
        """Return a request to open a context (see `mail.Mailbox.submit`) as it is to be sent: one with too many offers
        has them staged."""
        if not is_much(request[2]):
            return request
        stage, pieces = await self.staged(request[2])
        return [request[0], request[1], [], *request[3:], stage, pieces]

    async def staged(self, offers: Sequence[Any]) -> tuple[str, int]:
        """Stage offers, and return where they are, and in how many pieces."""
        stage, pieces = uuid.uuid4().hex, list(_pieces(offers))
        at = 0
        while at < len(pieces):  # the store may have fallen back to before it had some
            call = partial(self._client.call, "stage", stage, at, pieces[at])
            at = await patiently(call, "inputs of a context")
        return stage, len(pieces)

    async def fed(self, name: str, stage: str = "") -> int:
        """Have all that is staged of a context go into it. Whoever calls the store does a piece of that too. Return how
        many inputs of a ``stage`` that was added were new, -1 where that is not known."""
        more, new = 1, -1
        while more:
            more, new = await patiently(partial(self._client.call, "feed", name, stage), "inputs of a context")
        return int(new)


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
