"""Models become structural schemas: what can be said is said, and the rest is an error when the schema is made."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import pytest
from pydantic import AliasChoices, BaseModel, Field

from tidemill_operator.kinds.base import KindPart, Quantity, list_map
from tidemill_operator.kinds.structural import ANY, Rule, Said, Schema, schema_of, spellings

Value = TypeVar("Value")


class Inner(BaseModel):
    size: int = 3


class Tree(BaseModel):
    name: str
    below: list[Tree] = []


class Box(BaseModel, Generic[Value]):
    held: dict[str, Value]


class Whole(KindPart):
    RULES: ClassVar[list[Rule]] = [
        Rule("self.a < 5", "below 5", "'a is %d'.format([self.a])", ".a", "FieldValueInvalid")
    ]
    SCHEMA: ClassVar[dict[str, Any]] = {"oneOf": [{"required": ["a"]}, {"required": ["text"]}]}

    a: Annotated[int, Field(ge=1, le=9)] = Field(2, description="A number.")
    text: Annotated[str, Field(min_length=1, max_length=5, pattern="^x")] | None = None
    part: float = Field(0.5, gt=0)
    kind: Literal["one", "two"] = "one"
    inner: Inner = Inner()
    items: Annotated[list[Inner], Field(min_length=1, max_length=2), list_map("size")] = []
    words: dict[str, Annotated[str, Field(max_length=7)]] = {}
    free: Any = None
    amount: Quantity = None
    yes: bool = False
    must: str


def test_every_kind_of_field() -> None:
    made = schema_of(Whole)
    inner = {"type": "object", "properties": {"size": {"type": "integer", "format": "int64", "default": 3}}}
    assert made.pop("properties") == {
        "a": {"description": "A number.", "type": "integer", "format": "int64", "minimum": 1, "maximum": 9,
            "default": 2},
        "text": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^x"},
        "part": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "default": 0.5},
        "kind": {"type": "string", "enum": ["one", "two"], "default": "one"},
        "inner": {**inner, "default": {}},
        "items": {"type": "array", "items": inner, "minItems": 1, "maxItems": 2, "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["size"]},
        "words": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 7}},
        "free": ANY,
        "amount": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True,
            "maxLength": 32, "pattern": made_pattern()},
        "yes": {"type": "boolean", "default": False},
        "must": {"type": "string"},
    }  # fmt: skip
    assert made == {
        "type": "object",
        "required": ["must"],
        "x-kubernetes-validations": [{"rule": "self.a < 5", "message": "below 5", "messageExpression": "'a is %d'"
            ".format([self.a])", "fieldPath": ".a", "reason": "FieldValueInvalid"}],
        "oneOf": [{"required": ["a"]}, {"required": ["text"]}],
    }  # fmt: skip


def made_pattern() -> str:
    return str(schema_of(Whole)["properties"]["amount"]["pattern"])


def test_a_model_that_holds_itself_is_free_below_the_first_level() -> None:
    assert schema_of(Tree)["properties"]["below"]["items"] == {
        "type": "object", "x-kubernetes-preserve-unknown-fields": True}  # fmt: skip


def test_what_is_said_of_a_model_from_elsewhere_is_found_by_its_name_with_or_without_parameters() -> None:
    overlay = {("Box", "held"): Said("What is in it.", {"maxProperties": 4}, {"maxLength": 2})}
    assert schema_of(Box[str], overlay)["properties"]["held"] == {
        "description": "What is in it.", "type": "object", "additionalProperties": {"type": "string", "maxLength": 2},
        "maxProperties": 4}  # fmt: skip
    lists = {("Tree", "below"): Said("Branches.", {"maxItems": 3})}
    assert schema_of(Tree, lists)["properties"]["below"]["maxItems"] == 3


def test_what_is_said_elsewhere_gives_no_defaults() -> None:
    assert "default" not in schema_of(Inner, {("Inner", "size"): Said("A size.")})["properties"]["size"]
    assert "default" not in schema_of(Inner, defaults=False)["properties"]["size"]


def test_a_field_with_two_spellings_is_there_twice_and_may_be_given_once() -> None:
    class Spelt(BaseModel):
        two_words: int | None = Field(None, validation_alias=AliasChoices("two_words", "twoWords"))
        alias: int | None = Field(None, alias="other")

    made = schema_of(Spelt)
    assert set(made["properties"]) == {"two_words", "twoWords", "other"}
    (rule,) = made["x-kubernetes-validations"]
    assert rule["rule"] == "!has(self.two_words) || !has(self.twoWords)"
    assert spellings("alias", Spelt.model_fields["alias"]) == ["other"]


@pytest.mark.parametrize("kind", [int | str, tuple[int, ...], set[str], bytes, list[int | str], dict[str, complex]])
def test_what_no_structural_schema_can_say(kind: Any) -> None:
    strange = type("Strange", (BaseModel,), {"__annotations__": {"field": kind}, "__module__": __name__})
    with pytest.raises(TypeError, match=r"^Strange\.field: a structural schema cannot say"):
        schema_of(strange)


def test_keys_can_be_added_to_any_type() -> None:
    class Told(BaseModel):
        at: Annotated[str, Schema({"format": "date-time"})]

    assert schema_of(Told)["properties"]["at"] == {"type": "string", "format": "date-time"}
