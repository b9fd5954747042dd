"""Values as DFFML's command line reads them: Python literals, words for booleans, commas for lists.

Where a definition is known, its primitive decides in doubt: what is text there stays text. Neighbours: `create`,
`asked`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from tidemill.errors import InvalidInput, did_you_mean, shown
from tidemill.formats.bounds import has_surrogate
from tidemill.formats.inputs import input_of_value, mismatch
from tidemill.model.definition import Definition
from tidemill.model.input import SEED, Input

__all__ = ["assigned", "input_of", "input_of_text", "steps", "value_of"]

_WORDS = {
    **dict.fromkeys(("null", "nil", "none"), None),
    **dict.fromkeys(("yes", "true", "on"), True),
    **dict.fromkeys(("no", "false", "off"), False),
}
_STEP = re.compile(r"""'([^']*)'|"([^"]*)"|([^.]+)""")


def value_of(text: str) -> Any:
    """Return the value that ``text`` stands for: a word for null, true or false, a Python literal, a list where there
    is a comma (``size,`` is one of one), else the text."""
    word = text.strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        if "," in text:
            return [value_of(part) for part in text.split(",") if part]
        return text
    return _plain(found)


def _plain(value: Any) -> Any:
    """Return lists for tuples: a file has no tuples."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def assigned(text: str, option: str) -> tuple[str, str]:
    """Return (value, target) of ``VALUE=TARGET``; the last ``=`` parts them. Raises `InvalidInput`."""
    value, equals, target = text.rpartition("=")
    if not equals or not target:
        raise InvalidInput(f"{shown(text)} has no =; expected VALUE=TARGET", reason="InvalidArgument", path=option)
    return value, target


def steps(path: str) -> list[str]:
    """Return the steps of a path with dots; quotes keep a step that has dots in it together."""
    return ["".join(groups) for groups in _STEP.findall(path)]


def input_of(text: str, definitions: Mapping[str, Definition], option: str) -> Input:
    """Return the input that ``VALUE=DEFINITION``, or ``VALUE=DEFINITION=ORIGIN``, says.

    A value may hold ``=``, too: the definition is the last part that is one, or the one before the last part, which is
    then the origin. Raises `InvalidInput`: InvalidArgument, UnknownDefinition, or what `input_of_value` raises.
    """
    value, name = assigned(text, option)
    origin = SEED
    if name not in definitions and "=" in value:
        earlier, _, between = value.rpartition("=")
        if between in definitions:
            value, name, origin = earlier, between, name
    if name not in definitions:
        said = f"no definition is called {shown(name)} {did_you_mean(name, definitions)}"
        raise InvalidInput(said, reason="UnknownDefinition", path=f"{option} {text}")
    return input_of_text(value, definitions[name], f"{option} {text}", origin=origin)


def input_of_text(text: str, definition: Definition, path: str, *, origin: str = SEED) -> Input:
    """Return the input that a text stands for: what it is read as, or the text itself where that alone fits.

    Raises what `input_of_value` raises.
    """
    if has_surrogate(text):
        raise InvalidInput(f"{shown(text)} is not UTF-8", reason="InvalidUnicode", path=path)
    value = value_of(text)
    if mismatch(definition, value) and not mismatch(definition, text):
        value = text
    return input_of_value(definition, value, path, origin=origin)
