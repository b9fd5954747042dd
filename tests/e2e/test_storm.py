"""Whatever is killed while contexts come by the HTTP API, each of them has its result, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.node import Node
from tests.e2e.place import Place
from tests.e2e.storm import Storm

pytestmark = pytest.mark.cluster

CONTEXTS = 2000
KILLS = {"worker": 6, "operator": 3, "api": 2, "store": 1}


@pytest.fixture(scope="module")
def token(cluster: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The token of a service account that may edit in the namespace."""
    with cluster.account() as name:
        file = tmp_path_factory.mktemp("storm") / "token"
        file.write_text(cluster.kubectl("create", "token", name))
        yield file


def test_contexts_come_and_pods_die(cluster: Place, token: Path) -> None:
    name = cluster.unique("storm")
    storm = Storm(cluster, Node(cluster), token, CONTEXTS, KILLS)
    with cluster.gone_after(f"dataflow/{name}"):
        storm.check(storm.run(name), storm.results(name))
