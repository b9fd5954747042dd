"""The HTTP API of a real cluster, through a forwarded port and with tokens of real service accounts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.flows import doubling, module
from tests.e2e.place import Place
from tests.e2e.storm import tidemill

pytestmark = pytest.mark.cluster

MANY = 3000


@pytest.fixture(scope="module")
def account(cluster: Place) -> Iterator[str]:
    """A service account that may edit in the namespace."""
    with cluster.account() as name:
        yield name


def test_contexts_are_opened_in_bulk_and_their_results_read(cluster: Place, account: str, tmp_path: Path) -> None:
    name, token = cluster.unique("bulk"), tmp_path / "token"
    token.write_text(cluster.kubectl("create", "token", account))
    module(cluster)
    lines = "".join(f'{{"number": {number}, "seconds": 0.0}}\n' for number in range(MANY))
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(doubling(name, pool={"replicas": 2}))
        cluster.until(lambda: cluster.condition(name, "Accepted").get("status") == "True", "it was accepted")
        opened = tidemill(cluster, token, "submit", name, "--inputs", "-", "--key", "k", "-o", "jsonl", given=lines)
        assert (opened.returncode, len(opened.stdout.splitlines())) == (0, MANY), opened.stderr
        again = tidemill(cluster, token, "submit", name, "--inputs", "-", "--key", "k", "-o", "jsonl", given=lines)
        assert {json.loads(line)["status"] for line in again.stdout.splitlines()} == {"known"}, again.stderr
        watched = tidemill(cluster, token, "watch", name)
        assert watched.returncode == 0, watched.stderr
        found = tidemill(cluster, token, "results", name, "-o", "jsonl")
        results = [json.loads(line)["result"]["double"] for line in found.stdout.splitlines()]
        status = cluster.until(
            lambda: (seen := cluster.status(name)).get("contexts", {}).get("succeeded") == MANY and seen,
            "the status has them all",
            show=lambda: cluster.status(name),
        )
    assert sorted(results) == [2 * number for number in range(MANY)]
    assert status["contexts"] == {"open": 0, "succeeded": MANY, "failed": 0, "total": MANY}


def test_who_has_no_rights_is_told_which(cluster: Place, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(cluster.kubectl("create", "token", "default"))
    refused = tidemill(cluster, token, "get", "anything")
    assert refused.returncode != 0
    assert "may not get dataflows.tidemill.alt/contexts" in refused.stderr
    token.write_text("made-up")
    assert "Unauthenticated" in tidemill(cluster, token, "get", "anything").stderr
