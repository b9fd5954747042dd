"""Values as bytes: what comes back is what went in, and what cannot go says what stands in the way."""

import dataclasses
import datetime
import decimal
import enum
import fractions
import types
import uuid
from typing import Any, NamedTuple

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.backends.redis.codec import TYPES, Unencodable, decode, encode
from tidemill.errors import CorruptValue

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.fractions()
    | st.complex_numbers(allow_nan=False)
)
KEYS = st.text() | st.integers(-(2**63), 2**64 - 1) | st.booleans()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.lists(inner).map(tuple) | st.frozensets(LEAVES),
    max_leaves=20,
)


class Point(NamedTuple):
    """Goes over as a mapping."""

    x: int
    y: int


@dataclasses.dataclass
class Size:
    """Goes over as a mapping."""

    width: int


class Model(pydantic.BaseModel):
    """Goes over as a mapping."""

    name: str


class Level(enum.IntEnum):
    """Goes over as the number that it is."""

    HIGH = 3


class Opaque:
    """There is no encoding for it."""


@given(VALUES)
def test_what_comes_back_is_what_went_in(value: Any) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2026, 11, 23, 8, 45, tzinfo=datetime.UTC),
        datetime.date(2026, 11, 23),
        datetime.time(8, 45),
        datetime.timedelta(days=-1, microseconds=1),
        decimal.Decimal("0.30"),
        uuid.UUID(int=5),
        (1, (2, [3])),
        {1, 2},
        frozenset({"a"}),
        2**70,
        -(2**70),
        1 + 2j,
        fractions.Fraction(1, 3),
    ],
)
def test_every_typed_extension_has_a_value(value: Any) -> None:
    assert decode(encode(value)) == value
    assert type(decode(encode(value))) is type(value)
    assert type(value) in {kind for kind, _, _ in TYPES.values()}


def test_equal_sets_are_equal_bytes() -> None:
    assert encode({3, 1, 2}) == encode({2, 3, 1})


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Point(1, 2), {"x": 1, "y": 2}),
        (Size(3), {"width": 3}),
        (Model(name="n"), {"name": "n"}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (Level.HIGH, 3),
        (memoryview(b"ab"), b"ab"),
        (bytearray(b"ab"), b"ab"),
    ],
)
def test_what_has_a_plain_form_goes_over_as_that(value: Any, plain: Any) -> None:
    assert decode(encode(value)) == plain


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        (Opaque(), "", "Opaque"),
        ({"items": [1, Opaque()]}, "/items/1", "Opaque"),
        ([{"a": (1, {"b": Opaque()})}], "/0/a/1/b", "Opaque"),
        ({"text": "\ud800"}, "/text", "str"),
    ],
)
def test_what_cannot_be_encoded_is_named(value: Any, path: str, kind: str) -> None:
    with pytest.raises(Unencodable) as caught:
        encode(value)
    assert (caught.value.path, caught.value.kind) == (path, kind)
    assert str(caught.value).startswith(f"type {kind} at {path or '/'}: ")


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(Unencodable):
        encode(value)


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xc7\x01\x63\x00"])
def test_bytes_that_nobody_here_encoded_are_refused(raw: bytes) -> None:
    with pytest.raises(CorruptValue, match="are no value"):
        decode(raw)
