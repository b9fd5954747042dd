"""What comes from an API server is cut of what mirrors the words of tenants, and else stays as it is."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.operator.fake import fake_api
from tidemill_operator.lean import lean

DEEP = '{"a":' * 9000 + "1" + "}" * 9000
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def without(value: Any) -> Any:
    """Return plain data with every list called managedFields empty."""
    if isinstance(value, dict):
        return {
            name: [] if name == "managedFields" and isinstance(each, list) else without(each)
            for name, each in value.items()
        }
    return [without(each) for each in value] if isinstance(value, list) else value


@given(PLAIN, PLAIN, st.booleans())
def test_only_managed_fields_are_cut(value: Any, other: Any, escaped: bool) -> None:
    said = {"metadata": {"managedFields": [value, '"managedFields":[', "]}"], "name": 'a"managedFields":['}, "x": other}
    text = json.dumps(said, ensure_ascii=escaped, indent=1).encode()
    assert json.loads(lean(text)) == without(said)


@given(st.binary(max_size=200))
def test_what_is_no_json_comes_back_in_some_form(text: bytes) -> None:
    assert isinstance(lean(b'"managedFields":[' + text), bytes)


def test_a_value_that_nests_thousands_deep_is_cut_before_it_is_parsed() -> None:
    text = f'{{"metadata":{{"name":"x","managedFields":[{{"fieldsV1":{DEEP}}}],"uid":"u"}}}}'.encode()
    assert json.loads(lean(text)) == {"metadata": {"name": "x", "managedFields": [], "uid": "u"}}


async def test_lists_without_items_have_none_and_watches_come_in_whole_lines() -> None:
    async with fake_api() as (api, cluster), cluster.session(metadata=True) as session:
        url = f"{cluster.server}/api/v1/namespaces/ns/configmaps"
        async with session.get(url) as answer:
            assert (await answer.json())["items"] == []
        api.put("configmaps", {"metadata": {"name": "one", "namespace": "ns", "annotations": {"x": "y" * 300_000}}})
        async with session.get(f"{url}?watch=true") as answer:
            chunks = aiter(answer.content.iter_chunked(1000))
            line = json.loads(await anext(chunks))
        assert (line["type"], line["object"]["kind"]) == ("ADDED", "PartialObjectMetadata")
