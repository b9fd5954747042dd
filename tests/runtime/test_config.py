"""Configurations: dataclasses that can also be made of plain data."""

import dataclasses
from typing import Any

import pytest

from tidemill import BaseConfig, config, field
from tidemill.runtime.config import as_config


@config
class Server:
    """Where to ask."""

    host: str = field("name of the server")
    port: int = field("its port", default=80)
    names: list[str] = field("what to ask for", default_factory=list, metadata={"unit": "names"})


@config(frozen=False)
class Loose:
    count: int = 0


def _of(thing: Any) -> Any:
    """Return something whose added methods the type checker does not know."""
    return thing


def test_a_configuration_is_a_frozen_dataclass() -> None:
    made = Server("localhost")
    assert (made.host, made.port, made.names) == ("localhost", 80, [])
    assert made == Server("localhost", 80)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.port = 81


def test_a_configuration_need_not_be_frozen() -> None:
    made = Loose()
    made.count = 2
    assert made.count == 2


def test_fields_have_descriptions_beside_other_metadata() -> None:
    found = {item.name: dict(item.metadata) for item in dataclasses.fields(_of(Server))}
    assert found["host"] == {"description": "name of the server"}
    assert found["names"] == {"description": "what to ask for", "unit": "names"}


def test_a_configuration_goes_to_plain_data_and_back() -> None:
    made = Server("localhost", 81, ["a"])
    plain = _of(made)._asdict()
    assert plain == {"host": "localhost", "port": 81, "names": ["a"]}
    assert _of(Server)._fromdict(**plain) == made
    assert _of(made)._replace(port=82) == Server("localhost", 82, ["a"])


def test_nothing_stands_for_the_defaults() -> None:
    assert as_config(Loose, None) == Loose(0)


def test_a_mapping_stands_for_the_configuration_with_these_fields() -> None:
    assert as_config(Server, {"host": "a", "port": 1}) == Server("a", 1)


def test_any_dataclass_or_class_with_keywords_can_be_a_configuration() -> None:
    @dataclasses.dataclass
    class Plain:
        count: int = 1

    assert as_config(Plain, {"count": 2}) == Plain(2)
    assert as_config(dict, {"count": 2}) == {"count": 2}


def test_an_object_is_taken_as_it_is() -> None:
    made = Server("a")
    assert as_config(Server, made) is made
    assert as_config(None, made) is made


def test_what_has_no_configuration_class_takes_anything() -> None:
    assert as_config(None, {"any": "thing"}) == {"any": "thing"}
    made = as_config(None, None)
    assert isinstance(made, BaseConfig)
    assert repr(made) == "BaseConfig()"


@pytest.mark.parametrize("given", [{"host": "a", "prot": 1}, {"port": 1}, None])
def test_a_field_that_is_unknown_or_missing_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"prot|host"):
        as_config(Server, given)
