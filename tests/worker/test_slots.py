"""A shard in a cluster of several nodes: whoever submits and works finds the node that has it, wherever it goes."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.backends.redis.servers import DURABLE, Server, eventually, free_port
from tests.worker import flows
from tests.worker.fleet import DEADLINE
from tests.worker.test_trouble import MANY, PREFIX, journal, outcomes, sleeping, slept

__all__ = ["journal"]

TAG = f"{{{PREFIX}1:0}}"
SLOTS = 16384


@dataclass
class Cluster:
    """Three primaries, each with a third of the slots, and a replica of the one that has the shard: ``owner``."""

    owner: Server
    others: list[Server]
    replica: Server
    slot: int

    @property
    def url(self) -> str:
        """The URL; those that have not got the slot are named first."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in [*self.others, self.owner, self.replica])
        return f"redis+cluster://{hosts}"


def said(server: Server, *words: object) -> Any:
    return server.ask("execute_command", "CLUSTER", *words)


def healthy(servers: list[Server]) -> bool:
    """Say whether all know all, and that all slots are served."""
    states = [server.ask("cluster", "info") for server in servers]
    return all((one["cluster_state"], int(one["cluster_known_nodes"])) == ("ok", len(servers)) for one in states)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster of four."""
    with ExitStack() as stack:
        buses = [free_port() for _ in range(4)]
        settings: dict[str, Any] = {"cluster_enabled": "yes", "cluster_replica_validity_factor": 0, **DURABLE}
        nodes = [
            stack.enter_context(Server(folder / f"node{at}", **settings, cluster_node_timeout=2000, cluster_port=bus))
            for at, bus in enumerate(buses)
        ]
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            said(nodes[0], "MEET", "127.0.0.1", node.port, bus)
        ends = [0, SLOTS // 3, 2 * SLOTS // 3, SLOTS]
        for at in range(3):
            said(nodes[at], "ADDSLOTSRANGE", ends[at], ends[at + 1] - 1)
        eventually(lambda: healthy(nodes), "the cluster is whole")
        slot = int(said(nodes[0], "KEYSLOT", f"{TAG}:serial"))
        owner = nodes[next(at for at in range(3) if ends[at] <= slot < ends[at + 1])]
        said(nodes[3], "REPLICATE", owner.ask("cluster", "myid"))
        eventually(lambda: nodes[3].ask("info", "replication").get("master_link_status") == "up", "it is a replica")
        yield Cluster(owner, [node for node in nodes[:3] if node is not owner], nodes[3], slot)


def offset(server: Server) -> int:
    """Return how far the log of a server is that replicas follow."""
    return int(server.ask("info", "replication")["master_repl_offset"])


async def test_a_replica_of_a_cluster_takes_over_and_everybody_follows(tmp_path: Path) -> None:
    """What ran while the node with the slot died counts, and runs once."""
    with cluster(tmp_path) as nodes:
        async with sleeping(nodes.url, tmp_path) as waiting:
            eventually(lambda: offset(nodes.replica) == offset(nodes.owner), "the replica has heard of everything")
            nodes.owner.kill()
            (tmp_path / "go").touch()
            assert slept(await asyncio.wait_for(waiting, DEADLINE)) == {f"c{at}": [at] for at in range(MANY)}
            assert nodes.replica.ask("info", "replication")["role"] == "master"
            assert len(flows.calls_of(tmp_path)) == MANY


def moved(nodes: Cluster, to: Server) -> None:
    """Move the slot to another node, key by key, as is done while a cluster is in use."""
    target, source = to.ask("cluster", "myid"), nodes.owner.ask("cluster", "myid")
    said(to, "SETSLOT", nodes.slot, "IMPORTING", source)
    said(nodes.owner, "SETSLOT", nodes.slot, "MIGRATING", target)
    while keys := said(nodes.owner, "GETKEYSINSLOT", nodes.slot, 100):
        nodes.owner.ask("execute_command", "MIGRATE", "127.0.0.1", to.port, "", 0, 60_000, "KEYS", *keys)
    for server in (to, nodes.owner, *nodes.others):
        said(server, "SETSLOT", nodes.slot, "NODE", target)


async def test_a_slot_that_moves_to_another_node_takes_its_contexts_along(tmp_path: Path) -> None:
    """While it moves nobody is answered; then all goes on, and nothing runs again."""
    with cluster(tmp_path) as nodes:
        async with sleeping(nodes.url, tmp_path) as waiting:
            to = nodes.others[0]
            await asyncio.to_thread(moved, nodes, to)
            (tmp_path / "go").touch()
            assert slept(await asyncio.wait_for(waiting, DEADLINE)) == {f"c{at}": [at] for at in range(MANY)}
            assert len(flows.calls_of(tmp_path)) == MANY
            assert to.ask("exists", f"{TAG}:serial") == 1
            found = await asyncio.wait_for(outcomes(nodes.url, flows.FLOW, range(2), workers=0), DEADLINE)
            assert {one.name: one.result for one in found} == {f"c{at}": flows.result(at) for at in range(2)}
