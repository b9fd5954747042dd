"""Who asks, and whether he may: the API server is asked both, so there is no table of users here.

A token is shown to it (TokenReview), then the right that a request needs (SubjectAccessReview): a verb on the
subresource ``contexts`` of the kind. Answers are used again for a few seconds; tokens are remembered by their hash
only. Neighbours: `app`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import TidemillError
from tidemill_operator.cluster import Cluster, ClusterError
from tidemill_operator.names import GROUP

__all__ = ["Access", "AccessError", "User"]

_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_MOST = 10_000
"""Answers that are remembered at most."""


class AccessError(TidemillError):
    """A client that has not said who he is, or may not do what he asks for, or asks too often."""


@dataclass(frozen=True, slots=True)
class User:
    """Who the API server says that a client is."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(slots=True)
class _Bucket:
    """How many requests a user may make now."""

    room: float
    seen: float


@dataclass
class Access:
    """Asks the API server, and remembers for ``remembered`` seconds; ``rate`` and ``burst`` bound what a user asks."""

    cluster: Cluster
    audiences: Sequence[str] = ()
    remembered: float = 10.0
    rate: float = 50.0
    burst: int = 100
    _users: dict[bytes, tuple[float, User | None]] = field(default_factory=dict)
    _rights: dict[tuple[Any, ...], tuple[float, str]] = field(default_factory=dict)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    async def user(self, header: str) -> User:
        """Return who sends a header Authorization. Raises `AccessError` (Unauthenticated), `ClusterError`."""
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise AccessError("send the header Authorization: Bearer TOKEN", reason="Unauthenticated")
        key, now = hashlib.sha256(token.encode("utf-8", "replace")).digest(), time.monotonic()
        known = self._users.get(key)
        if known is None or known[0] < now:
            known = (now + self.remembered, await self._reviewed(token))
            _remember(self._users, key, known)
        if known[1] is None:
            raise AccessError("the API server does not know this token, or it is for others", reason="Unauthenticated")
        return known[1]

    async def _reviewed(self, token: str) -> User | None:
        spec: dict[str, Any] = {"token": token, **({"audiences": list(self.audiences)} if self.audiences else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        status = (await self._asked(_REVIEWS, body)).get("status") or {}
        if not status.get("authenticated"):
            return None
        if self.audiences and not set(self.audiences) & set(status.get("audiences") or ()):
            return None  # an API server that knows nothing of audiences has not looked at them
        said = status.get("user") or {}
        extra = tuple(sorted((name, tuple(values)) for name, values in (said.get("extra") or {}).items()))
        return User(str(said.get("username", "")), str(said.get("uid", "")), tuple(said.get("groups") or ()), extra)

    async def require(self, user: User, verb: str, plural: str, namespace: str, name: str) -> None:
        """Refuse a user who may not do this to the contexts of an object. Raises `AccessError` (Forbidden),
        `ClusterError`."""
        key, now = (user, verb, plural, namespace, name), time.monotonic()
        known = self._rights.get(key)
        if known is None or known[0] < now:
            known = (now + self.remembered, await self._refusal(user, verb, plural, namespace, name))
            _remember(self._rights, key, known)
        if known[1]:
            raise AccessError(known[1], reason="Forbidden")

    async def _refusal(self, user: User, verb: str, plural: str, namespace: str, name: str) -> str:
        """Return why a user may not do this; nothing if he may."""
        asked = {"group": GROUP, "resource": plural, "subresource": "contexts"}
        spec = {
            "user": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {extra: list(values) for extra, values in user.extra},
            "resourceAttributes": {**asked, "verb": verb, "namespace": namespace, "name": name},
        }
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        if ((await self._asked(_ACCESS, body)).get("status") or {}).get("allowed"):
            return ""
        return f'"{user.name}" may not {verb} {plural}.{GROUP}/contexts of "{name}" in the namespace "{namespace}"'

    async def _asked(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self.cluster.create(path, body, guarded=False)
        except ClusterError as error:
            said = f"the API server does not say who may do what: {error.message}"
            raise ClusterError(said, reason="AccessUnknown", status=error.status) from error

    def admit(self, user: User) -> None:
        """Count a request of a user. Raises `AccessError` (RateLimited) if he makes too many."""
        now = time.monotonic()
        bucket = self._buckets.get(user.name)
        if bucket is None:
            bucket = _Bucket(self.burst, now)
            _remember(self._buckets, user.name, bucket)
        bucket.room = min(self.burst, bucket.room + (now - bucket.seen) * self.rate)
        bucket.seen = now
        if bucket.room < 1:
            said = f"more than {self.rate:g} requests a second; send many contexts in one request"
            raise AccessError(said, reason="RateLimited")
        bucket.room -= 1


def _remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep an answer, and let the oldest one go where there are too many."""
    if len(known) >= _MOST and key not in known:
        known.pop(next(iter(known)))
    known.pop(key, None)
    known[key] = value
