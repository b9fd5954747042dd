"""A Python program runs a data flow on a real cluster: `KubernetesOrchestrator`, which finds all ways by kubectl."""

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.flows import MODULE, module
from tests.e2e.place import Place

pytestmark = pytest.mark.cluster

PROGRAM = """
import asyncio, json, sys

import tidemill as dffml
from doubling import NUMBER, SECONDS, double

settings = json.loads(sys.argv[1])
flow = dffml.DataFlow(double, dffml.GetSingle, seed=[dffml.Input(["double"], dffml.GetSingle.op.inputs["spec"])])


async def main():
    sets = {f"n {n}": [dffml.Input(n, NUMBER), dffml.Input(0.0, SECONDS)] for n in range(300)}
    async with dffml.KubernetesOrchestrator.withconfig(settings) as orchestrator:
        async with orchestrator(flow) as octx:
            found = {str(ctx): result["double"] async for ctx, result in octx.run(sets)}
            print(json.dumps({"name": octx.name, "found": found}))


asyncio.run(main())
"""


def test_a_program_runs_a_data_flow_on_the_cluster(cluster: Place, tmp_path: Path) -> None:
    (tmp_path / "doubling.py").write_text(MODULE)
    (tmp_path / "program.py").write_text(PROGRAM)
    pool = {"name": "default", "replicas": 1, "modulesFrom": [{"configMapRef": {"name": module(cluster)}}]}
    with cluster.account() as account:
        token = tmp_path / "token"
        token.write_text(cluster.kubectl("create", "token", account))
        said = {"namespace": cluster.namespace, "pools": [pool], "token_file": str(token)}
        done = cluster.run(sys.executable, str(tmp_path / "program.py"), json.dumps(said), timeout=300)
    assert done.returncode == 0, done.stderr
    answered = json.loads(done.stdout)
    assert answered["found"] == {f"n {n}": 2 * n for n in range(300)}
    cluster.until(lambda: not cluster.there("dataflow", answered["name"]), "its object is gone")
