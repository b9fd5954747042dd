"""Operations that workers run in tests of the operator."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from tidemill import Definition, op

__all__ = ["FOLDER", "dataflow", "measure"]

FOLDER = "TIDEMILL_TEST_FOLDER"
"""The variable that names the folder in which a file ``go`` lets those go on that wait."""

WORD, LENGTH = Definition("word", "string"), Definition("length", "int")


def _wait() -> None:
    while not (Path(os.environ[FOLDER]) / "go").exists():
        time.sleep(0.01)


@op(inputs={"word": WORD}, outputs={"length": LENGTH})
async def measure(word: str) -> dict[str, int]:
    """Return the length of a word; of one that begins with a dash only when a test lets it, of a bad one never."""
    if word.startswith("-"):
        await asyncio.to_thread(_wait)
    if word == "bad":
        raise ValueError("a bad word")
    return {"length": len(word)}


def dataflow(namespace: str, name: str = "words", **spec: Any) -> dict[str, Any]:
    """Return a DataFlow object that measures words; ``inputs`` are words by context."""
    inputs = [
        {"context": context, "values": {"word": words}} for context, words in dict(spec.pop("inputs", {})).items()
    ]
    said = {
        "linked": True,
        "definitions": {
            "word": {"primitive": "string"},
            "length": {"primitive": "int"},
            "names": {"primitive": "array"},
            "values": {"primitive": "map"},
        },
        "operations": {
            "measure": {
                "name": "tests.operator.words:measure",
                "inputs": {"word": "word"},
                "outputs": {"length": "length"},
            },
            "result": {
                "name": "get_multi",
                "stage": "output",
                "inputs": {"spec": "names"},
                "outputs": {"output": "values"},
            },
        },
        "seed": [{"value": ["length"], "definition": "names"}],
        "inputs": inputs,
        **spec,
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlow", "metadata": metadata, "spec": said}


def run(namespace: str, name: str, of: str = "words", **spec: Any) -> dict[str, Any]:
    """Return a DataFlowRun object."""
    inputs = [
        {"context": context, "values": {"word": words}} for context, words in dict(spec.pop("inputs", {})).items()
    ]
    metadata = {"name": name, "namespace": namespace}
    said = {"dataFlowRef": {"name": of}, "inputs": inputs, **spec}
    return {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlowRun", "metadata": metadata, "spec": said}
