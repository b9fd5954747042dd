"""The last step of the guide for users of DFFML, on a real cluster; `tests/test_migrating.py` follows the others."""

import shlex
from pathlib import Path

import pytest

from tests.e2e.place import Place
from tests.test_migrating import BLOCK, PAGES, Reader, commands

pytestmark = pytest.mark.cluster


def test_the_data_flow_of_the_guide_ends_as_the_page_says(cluster: Place, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    *earlier, last = [
        block for block in BLOCK.finditer(PAGES["migrating"]) if block["needs"] in (None, "dffml", "cluster")
    ]
    for block in earlier:  # what is begun in another terminal is not needed for this
        if not any(word in block["text"] for word in ("curl ", "submit ")):
            reader.follow(block)
    assert last["needs"] == "cluster"
    with cluster.gone_after("dataflow/shouldi", "configmap/shouldi-ops"):
        for command, printed in commands(last["text"]):
            program, *arguments = shlex.split(command)
            assert program == "kubectl"
            typed = shlex.join([program, "-n", cluster.namespace, *arguments])
            done = cluster.run("bash", "-c", f"cd {shlex.quote(str(tmp_path))} && {typed}", timeout=400)
            assert done.returncode == 0, done.stderr
            if printed:
                assert sorted(done.stdout.splitlines()) == sorted(printed.splitlines())
