"""What can be written to a file can be written to an object: any data flow, linked or with its definitions in place."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.flows import dataflow_of
from tests.contract.strategies import flows
from tests.operator.cluster import ControlPlane
from tests.operator.kinds.things import dataflow
from tidemill.formats.manifest import manifest_of
from tidemill.formats.write import plain_data
from tidemill_operator.kinds.accept import accept
from tidemill_operator.kinds.objects import DataFlowObject, read_object


def accepted(said: dict[str, Any]) -> Any:
    found = read_object(said)
    assert isinstance(found, DataFlowObject)
    return accept(found)


@settings(max_examples=60)
@given(st.data())
def test_an_exported_data_flow_is_accepted_and_stays_what_it_is(data: st.DataObject) -> None:
    flow = dataflow_of(data.draw(flows()))
    linked, plain = (plain_data(flow.export(linked=linked)) for linked in (True, False))
    one, other = accepted(dataflow(flow=linked)), accepted(dataflow(flow=plain))
    assert one.plan.digest == other.plan.digest


@pytest.mark.cluster
@pytest.mark.timeout(3600)
@settings(max_examples=10)
@given(st.data())
def test_an_api_server_admits_exported_data_flows(api: ControlPlane, data: st.DataObject) -> None:
    flow = dataflow_of(data.draw(flows()))
    api.must("create", "--dry-run=server", "-f", "-", given=manifest_of(flow, "never-made"))
    plain = {**manifest_of(flow, "never-made"), "spec": plain_data(flow.export())}
    api.must("create", "--dry-run=server", "-f", "-", given=plain)
