"""The data flow "should I install this package?": operations joined by what they take and give.

`dataflow.yaml` beside the package is this flow written to a file: `python -m shouldi.dataflow` prints it.
"""

from shouldi import operations
from tidemill import DataFlow, GroupBy, Input
from tidemill.formats.write import to_yaml

# What a run gives: the verdict on each package, and the reasons for it.
RESULTS = {
    "verdict": {"group": "verdict", "by": "package"},
    "reasons": {"group": "reason", "by": "package", "nostrict": True},
}


def build() -> DataFlow:
    """The data flow; each context judges one package, so that nothing of two packages ever meets."""
    return DataFlow(
        operations={
            "open_workspace": operations.open_workspace,
            "sort_request": operations.sort_request,
            "ask_index": operations.ask_index,
            "download_wheel": operations.download_wheel,
            "download_sdist": operations.download_sdist,
            "unpack": operations.unpack,
            "copy_installed": operations.copy_installed,
            "scan_security": operations.scan_security,
            "measure_complexity": operations.measure_complexity,
            "read_metadata": operations.read_metadata,
            "look_up_vulnerabilities": operations.look_up_vulnerabilities,
            "conclude": operations.conclude,
            "give_up": operations.give_up,
            "remove_workspace": operations.remove_workspace,
            "group_by": GroupBy,
        },
        seed=[Input(value=RESULTS, definition=GroupBy.op.inputs["spec"])],
    )


DATAFLOW = build()


if __name__ == "__main__":
    print(to_yaml(DATAFLOW, linked=True), end="")
