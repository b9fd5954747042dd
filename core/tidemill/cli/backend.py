"""The options ``--backend`` and ``--durability``: which store, and what it has to be.

Nothing of Redis is imported before a store is used. Neighbours: `backends.redis.urls` (how a store is written down),
`backends.redis.session` (how it is used).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from tidemill.backends.redis.backend import RedisBackend

__all__ = ["BACKEND_HELP", "MEMORY", "VARIABLE", "backend_options", "is_memory", "shared", "store"]

MEMORY = "memory"
VARIABLE = "TIDEMILL_BACKEND"

BACKEND_HELP = f"""A store (--backend, or {VARIABLE} in the environment) is redis://…, rediss://…, unix://…,
redis+sentinel://HOST,HOST/SERVICE, redis+cluster://HOST,HOST, or embedded:FOLDER for one of this machine that lives
as long as the command; `tidemill dev` starts one for as long as it runs. A password is better in the environment, where
others do not see it."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def backend_options(*, required: bool) -> Callable[[_Function], _Function]:
    """Give a command ``--backend`` and ``--durability``."""
    which = "redis://…, rediss://…, unix://…, redis+sentinel://…, redis+cluster://…, embedded:FOLDER."
    wanted: dict[str, Any] = {"required": True} if required else {"default": MEMORY}
    if not required:
        which = f"Where contexts live: memory (default), embedded, {which}"

    def decorate(function: _Function) -> _Function:
        durability = click.option(
            "--durability", type=click.Choice(["always", "fast", "none"]), default="always", show_default=True,
            help="What has to survive the death of the store: all, all but the last second, nothing.",
        )  # fmt: skip
        backend = click.option(
            "--backend", metavar="URL", envvar=VARIABLE, show_envvar=True,
            help=f"The store: {which}" if required else which, **wanted,
        )  # fmt: skip
        decorated: _Function = backend(durability(function))
        return decorated

    return decorate


def is_memory(backend: str) -> bool:
    """Say whether contexts live in this process; anything else has to be the URL of a store.

    Raises `StoreMisconfigured` (InvalidStoreURL) for what is neither, `StoreUnavailable` (ExtraMissing) where what
    talks to stores is not installed.
    """
    if backend == MEMORY:
        return True
    _scheme(backend)
    return False


def _scheme(backend: str) -> str:
    from importlib.util import find_spec

    from tidemill.errors import StoreUnavailable

    missing = [name for name in ("redis", "msgpack") if find_spec(name) is None]
    if missing:
        said = f"a store needs the package {missing[0]}, which is not installed: pip install 'tidemill[worker]'"
        raise StoreUnavailable(said, reason="ExtraMissing")
    from tidemill.backends.redis.urls import store_url

    return store_url(backend).scheme


def shared(backend: str, *, running: bool = False) -> None:
    """Refuse what is no store that others could use, too. ``running``: it has to be one that runs already.

    Raises `StoreMisconfigured` (InvalidStoreURL, NotShared), `StoreUnavailable` (ExtraMissing).
    """
    from tidemill.errors import StoreMisconfigured

    scheme = _scheme(backend)
    folder = scheme == "embedded" and backend != "embedded"
    if scheme not in (MEMORY, "embedded") or (folder and not running):
        return
    wanted = "a store that runs, as `tidemill dev` starts one" + ("" if running else ", or embedded:FOLDER")
    said = f'"{backend}" ends with the command that starts it, so nobody else could use it; give the URL of {wanted}'
    raise StoreMisconfigured(said, reason="NotShared")


def store(backend: str, durability: str, **mail: Any) -> AbstractAsyncContextManager[RedisBackend]:
    """Return a store that is used for a while; ``mail`` are keywords for how contexts are opened."""
    from tidemill.backends.redis.session import session

    shared(backend)
    return session(backend, durability=durability, **mail)
