"""Random data flows over real servers: whatever workers do and in whichever order, the store agrees with the fixpoint
model.

The data flows, the workers and the model are those of the contract suite (`tests/contract`).
"""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.redis.stores import server, store
from tests.contract.flows import Flow
from tests.contract.strategies import flows
from tests.contract.test_fixpoint import examine


@pytest.mark.parametrize("kind", ["redis", "valkey"])
@settings(max_examples=400)
@given(flow=flows(), number=st.integers(0, 10**6))
def test_a_store_gives_what_the_data_flow_means(kind: str, flow: Flow, number: int) -> None:
    server(kind)
    examine(flow, partial(store, kind), number)
