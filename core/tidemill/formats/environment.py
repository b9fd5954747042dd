"""Settings of a process: from the environment (``TIDEMILL_LEASE=30``) and from arguments (``--lease 30``), which win.

A setting that is wrong is named, with its value and with what was expected, before anything is started. What is secret
may stand in a file, which is how Kubernetes gives it to a pod. Neighbours: the settings of the worker and the operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from tidemill.errors import TidemillError, did_you_mean

__all__ = ["PREFIX", "ProcessSettings", "Words", "secret_in"]

PREFIX = "TIDEMILL_"
"""What the names of variables begin with."""

SIZE = 64 * 1024
"""Bytes that a file with a secret may have."""

Own = TypeVar("Own", bound="ProcessSettings")


def _words(value: Any) -> Any:
    return [word for word in value.replace(",", " ").split() if word] if isinstance(value, str) else value


Words = Annotated[list[str], BeforeValidator(_words)]
"""A list of words, with blanks or commas between them."""


class ProcessSettings(BaseModel):
    """What every process that uses a store is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    store: SecretStr = Field(SecretStr("redis://127.0.0.1:6379"), description="URL of the store")
    store_file: str = Field("", description="a file that holds the URL of the store; it wins over the URL")

    @classmethod
    def read(cls: type[Own], environment: Mapping[str, str], arguments: Sequence[str] = ()) -> Own:
        """Return the settings that the environment and arguments say. Raises `TidemillError` (InvalidSetting)."""
        said: dict[str, Any] = {
            name: value for name in cls.model_fields if (value := environment.get(PREFIX + name.upper()))
        }
        said.update(_arguments(arguments, list(cls.model_fields)))
        if said.get("store_file"):
            said["store"] = secret_in(str(said["store_file"]))
        try:
            return cls(**said)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            if not name:
                raise TidemillError(first["msg"].removeprefix("Value error, "), reason="InvalidSetting") from None
            shown = "***" if name == "store" else repr(first["input"])
            wrong = f"{PREFIX}{name.upper()} or --{name} is {shown}: {first['msg']}"
            raise TidemillError(wrong, reason="InvalidSetting", path=name) from None


def secret_in(path: str) -> str:
    """Return the secret in a file, without blanks around it. Raises `TidemillError` (InvalidSetting)."""
    try:
        with Path(path).open("rb") as file:
            said = file.read(SIZE + 1)
    except (OSError, ValueError) as error:
        _refuse(path, getattr(error, "strerror", None) or str(error))
    if not said.strip() or len(said) > SIZE:
        _refuse(path, "it is empty" if len(said) <= SIZE else f"it has more than {SIZE} bytes")
    try:
        return said.decode().strip()
    except UnicodeDecodeError:
        _refuse(path, "it is no text in UTF-8")


def _refuse(path: str, why: str) -> NoReturn:
    wrong = f"{PREFIX}STORE_FILE or --store_file is {path!r}, which holds no URL of a store: {why}"
    raise TidemillError(wrong, reason="InvalidSetting", path="store_file") from None


def _arguments(arguments: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    left = list(arguments)
    while left:
        word = left.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            said = f'"{word}" is no argument {did_you_mean(name, known)}'
            raise TidemillError(said, reason="InvalidSetting", path=name)
        if not equals and not left:
            raise TidemillError(f"{word} needs a value", reason="InvalidSetting", path=name)
        found[name] = value if equals else left.pop(0)
    return found
