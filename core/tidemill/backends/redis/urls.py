"""Where a store is, as people write it: one word or URL, checked before anything is connected to.

::

    memory                                              the engine in this process, no store
    embedded, embedded:/folder                          a server of this machine, kept in a folder if one is named
    redis://[[user]:password@]host[:port][/database]    Redis or Valkey
    rediss://…                                          the same, encrypted (TLS)
    unix://[[user]:password@]/path[?db=0]               the same, over a socket of this machine
    redis+sentinel://[[user]:password@]host[:port][,host…]/service[/database]
                                                        whoever the sentinels say is the primary
    redis+cluster://[[user]:password@]host[:port][,host…]
                                                        the node of a cluster that has the slot of the shard

A password that holds one of ``/ ? # @ %`` has to be percent-encoded. It is part of no message, no ``repr`` and no log:
`StoreURL.shown` is what may be printed. Neighbours: `client` (calls), `embedded` (the server of this machine).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tidemill.errors import StoreMisconfigured, did_you_mean, shown

__all__ = ["CLUSTER", "StoreURL", "connection", "redacted", "store_url"]

EMBEDDED, MEMORY, SENTINEL, CLUSTER = "embedded", "memory", "redis+sentinel", "redis+cluster"

SCHEMES = {name: name for name in ("redis", "rediss", "unix", SENTINEL, CLUSTER)} | {"redis-sentinel": SENTINEL}
"""What may stand before ``://``, and what it means."""

PORTS = {"redis": 6379, "rediss": 6379, SENTINEL: 26379, CLUSTER: 6379}

_COMMON = {"db": int, "client_name": str, "socket_timeout": float, "socket_connect_timeout": float}
_TLS = {name: str for name in ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")}
OPTIONS: dict[str, dict[str, type]] = {
    "redis": _COMMON,
    "rediss": {**_COMMON, **_TLS},
    "unix": _COMMON,
    SENTINEL: {**_COMMON, **_TLS, "sentinel_username": str, "sentinel_password": str, "ssl": str},
    CLUSTER: {**_COMMON, **_TLS, "ssl": str},
}
"""What may stand behind the ``?`` of each scheme."""

_HIDDEN = "***"
_USER = re.compile(r"^([a-z][a-z0-9+.-]*:(?://)?)(.*)$", re.IGNORECASE | re.DOTALL)
_SECRET = re.compile(r"([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE)


def redacted(text: str) -> str:
    """Return a URL as it may be shown: without whatever could be a password, also where it is no valid URL."""
    found = _USER.match(text)
    if found is None:
        return _HIDDEN if "@" in text else text
    head, rest = found.groups()
    if "@" in rest:
        rest = f"{_HIDDEN}@{rest.rpartition('@')[2]}"
    elif not head.startswith((EMBEDDED, "unix")) and not re.fullmatch(
        r"[^/?#:]*(:\d*)?(,[^/?#:]*(:\d*)?)*", _host(rest)
    ):
        rest = _HIDDEN  # what stands where a port should may be a password whose @ was forgotten
    return head + _SECRET.sub(rf"\1{_HIDDEN}", rest)


def _host(rest: str) -> str:
    return re.split(r"[/?#]", re.sub(r"\[[^]]*\]", "", rest), maxsplit=1)[0]


@dataclass(frozen=True)
class StoreURL:
    """A URL that has been checked.

    ``scheme`` is one of redis, rediss, unix, redis+sentinel, redis+cluster, embedded, memory; ``hosts`` are pairs of
    name and port, ``path`` is that of a socket or a folder, ``service`` what sentinels call the primary, ``options``
    stood behind the ``?``. ``shown`` is the URL as it may be printed.
    """

    scheme: str
    shown: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    database: int = 0
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.shown


def store_url(text: str) -> StoreURL:
    """Return what a word or URL says. Raises `StoreMisconfigured` (InvalidStoreURL), without any password."""
    if text == MEMORY:
        return StoreURL(MEMORY, MEMORY)
    if text == EMBEDDED or text.startswith(f"{EMBEDDED}:"):
        folder = text.partition(":")[2].removeprefix("//")
        if text != EMBEDDED and not folder:
            _refuse(text, 'no folder after "embedded:"; write embedded for one that is gone at the end')
        return StoreURL(EMBEDDED, text, path=folder)
    scheme, separator, _ = text.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        known = [MEMORY, EMBEDDED, *(f"{name}://" for name in SCHEMES)]
        named = redacted(scheme + separator) if separator else text
        _refuse(text, f"it begins with none of the known words {did_you_mean(named, known)}")
    return _split(SCHEMES[scheme.lower()], text)


def _refuse(text: str, why: str) -> NoReturn:
    raise StoreMisconfigured(f"{shown(redacted(text))} is no URL of a store: {why}", reason="InvalidStoreURL")


def _split(scheme: str, text: str) -> StoreURL:
    try:
        parts = urlsplit(text)
    except ValueError:
        _refuse(text, "its host cannot be read; an address of IPv6 stands in [ ]")
    if parts.fragment or "#" in text or "@" in parts.path or "@" in parts.query or parts.netloc.count("@") > 1:
        _refuse(text, "a password with one of / ? # @ % has to be percent-encoded, as / is %2F and @ is %40")
    login, _, where = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    options = _options(scheme, text, parts.query)
    database = options.pop("db", 0)
    found = StoreURL(
        scheme,
        redacted(text),
        user=unquote(user) or None,
        password=unquote(password) if colon else None,
        options=options,
        database=database,
    )
    if scheme == "unix":
        path = unquote(parts.path)
        if where or len(path) < 2:
            _refuse(text, "a socket is given by its absolute path: unix:///run/valkey.sock")
        return _with(found, path=path)
    return _with(found, hosts=_hosts(scheme, text, where), **_place(scheme, text, parts.path, database))


def _with(found: StoreURL, **changed: Any) -> StoreURL:
    return StoreURL(**{**vars(found), **changed})


def _place(scheme: str, text: str, path: str, database: int) -> dict[str, Any]:
    """Return what the path says: the service that sentinels know, and the number of the database."""
    said = [unquote(part) for part in path.strip("/").split("/") if part]
    place: dict[str, Any] = {}
    if scheme == SENTINEL:
        if not said:
            _refuse(text, "it does not say what the sentinels call the primary: redis+sentinel://host:26379/mymaster")
        place["service"] = said.pop(0)
    number = said.pop(0) if said else str(database)
    if scheme == CLUSTER and (said or number != "0"):
        _refuse(text, "a cluster has no databases: nothing stands behind its hosts")
    if said or not number.isascii() or not number.isdigit() or len(number) > 5:
        _refuse(text, "the path is the number of a database, as in redis://host:6379/0")
    place["database"] = int(number)
    return place


def _hosts(scheme: str, text: str, where: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for one in where.split(","):
        found = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:\s]*)(?::(\d{1,5}))?", one)
        port = int(found[2]) if found and found[2] else PORTS[scheme]
        if found is None or not 0 < port < 65536:
            _refuse(text, "behind the host there has to be a port from 1 to 65535, and an @ between password and host")
        hosts.append((found[1].strip("[]") or "localhost", port))
    if scheme not in (SENTINEL, CLUSTER) and len(hosts) > 1:
        _refuse(text, "it names several hosts; only redis+sentinel:// and redis+cluster:// may")
    return tuple(hosts)


def _options(scheme: str, text: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known = OPTIONS[scheme]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            _refuse(text, f"there is no option {shown(name)} {did_you_mean(name, known)}")
        try:
            found[name] = known[name](value)
        except ValueError:
            _refuse(text, f"the option {name} has to be a number; it is {shown(value, 20)}")
        if found[name] in ("", 0) and name != "db":
            _refuse(text, f"the option {name} has no value")
    return found


def connection(url: str | StoreURL, file: str = "", *, tag: str = "", **settings: Any) -> Any:
    """Return a client of `redis.asyncio` for a store that runs already; nothing is connected to yet. ``tag`` is the
    hash tag of the shard: of a cluster the node that has it is meant.

    It repeats nothing by itself: whether a call whose reply was lost may be repeated, only its caller knows.
    ``settings`` go to every connection, ``file`` is where the URL was read from, if its password may change: see
    `rotating`. Raises `StoreMisconfigured` for memory and embedded, which have no address.
    """
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from tidemill.backends.redis.heeding import heeding
    from tidemill.backends.redis.rotating import FromFile
    from tidemill.backends.redis.slots import Whereabouts, following

    said = store_url(url) if isinstance(url, str) else url
    if said.scheme in (MEMORY, EMBEDDED):
        raise StoreMisconfigured(f'"{said}" is no address to connect to; start it first', reason="InvalidStoreURL")
    chosen = {**said.options, "db": said.database, "username": said.user, "password": said.password}
    if file and said.password is not None:
        chosen |= {"username": None, "password": None, "credential_provider": FromFile(said, file)}
    client = _client(said, {"protocol": 2, "retry": Retry(NoBackoff(), 0), **chosen, **settings})
    pool = client.connection_pool
    if said.scheme == CLUSTER:
        pool.connection_class = following(pool.connection_class, Whereabouts(said.hosts, f"{tag}:serial"))
    pool.connection_class = heeding(pool.connection_class)
    return client


def _client(said: StoreURL, chosen: dict[str, Any]) -> Any:
    import redis.asyncio

    if said.scheme == SENTINEL:
        return _primary(said, chosen)
    if said.scheme == "unix":
        return redis.asyncio.Redis.from_url(f"unix://{quote(said.path)}", **chosen)
    host, port = said.hosts[0]
    encrypted = _encrypted(chosen) if said.scheme == CLUSTER else said.scheme == "rediss"
    return redis.asyncio.Redis(host=host, port=port, ssl=encrypted, **chosen)


def _encrypted(chosen: dict[str, Any]) -> bool:
    """Return whether the option ``ssl`` asks for TLS, and take it out."""
    return chosen.pop("ssl", "") in ("true", "yes", "1")


def _primary(said: StoreURL, chosen: dict[str, Any]) -> Any:
    from redis.asyncio import sentinel

    class Pool(sentinel.SentinelConnectionPool):
        """Connections to the primary; closing them closes those to the sentinels as well."""

        async def disconnect(self, *arguments: Any, **keywords: Any) -> None:
            await super().disconnect(*arguments, **keywords)
            for one in watchers.sentinels:
                await one.aclose()

    own = {name: chosen.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    chosen["ssl"] = _encrypted(chosen)
    timeouts = {name: value for name, value in chosen.items() if name.startswith("socket_")}
    make: Any = sentinel.Sentinel  # it has no types
    watchers = make(list(said.hosts), sentinel_kwargs={**own, **timeouts}, **chosen)
    return watchers.master_for(said.service, connection_pool_class=Pool)
