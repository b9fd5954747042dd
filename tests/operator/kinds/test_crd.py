"""The definitions of the kinds: everything is bounded, only values are free, and what is generated is fresh."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidemill.formats import schema as schema_of_files
from tidemill.formats.schema import API_VERSION, ClusterPart, LinkedFlow, PlainFlow
from tidemill.formats.schema import KIND as FILE_KIND
from tidemill_operator.kinds.__main__ import files, main
from tidemill_operator.kinds.crd import KINDS, chart_files, definition, manifest
from tidemill_operator.kinds.dataflow import DataFlowSpec
from tidemill_operator.kinds.flow import FLOW
from tidemill_operator.kinds.status import CONDITIONS, MOST_FAILURES
from tidemill_operator.names import DATAFLOW, GROUP, VERSION

ROOT = Path(__file__).resolve().parents[3]
MANIFEST = manifest()
DEFINITIONS = {kind.kind: definition(kind) for kind in KINDS}

FREE = {
    # values
    "spec.configs.*",
    "spec.definitions.*.default",
    "spec.definitions.*.spec.defaults.*",
    "spec.inputs[].inputs[].value",
    "spec.inputs[].values.*",
    "spec.seed[].value",
    "status.results[].result",
    # what has several shapes in the exported form: a name or a definition, an origin or a path of origins
    "spec.definitions.*.links[].default",
    "spec.definitions.*.links[].links[]",
    "spec.definitions.*.links[].spec.defaults.*",
    "spec.flow.*.conditions[]",
    "spec.flow.*.inputs.*[]",
    "spec.forward.book.*[]",
    "spec.operations.*.conditions[]",
    "spec.operations.*.inputs.*",
    "spec.operations.*.outputs.*",
    "spec.seed[].definition",
    "spec.seed[].origin",
}


def schema(kind: str) -> dict[str, Any]:
    (version,) = DEFINITIONS[kind]["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def walk(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, part
    for name, each in part.get("properties", {}).items():
        yield from walk(each, f"{path}.{name}" if path else name)
    if "items" in part:
        yield from walk(part["items"], f"{path}[]")
    if isinstance(part.get("additionalProperties"), dict):
        yield from walk(part["additionalProperties"], f"{path}.*")


PARTS = [(kind, path, part) for kind in DEFINITIONS for path, part in walk(schema(kind)) if path]


def free(part: dict[str, Any]) -> bool:
    return bool(part.get("x-kubernetes-preserve-unknown-fields"))


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_only_values_and_what_has_several_shapes_is_free(kind: str) -> None:
    found = {path for path, part in walk(schema(kind)) if free(part)}
    assert found == {path for path in FREE if path in dict(walk(schema(kind)))}
    if kind == DATAFLOW:
        assert found == FREE


def test_every_text_list_and_map_has_a_bound() -> None:
    keys = {"array": "maxItems", "string": "maxLength"}
    unbounded = []
    for kind, path, part in PARTS:
        if part.get("x-kubernetes-int-or-string"):
            bounded = "maxLength" in part
        elif part.get("type") == "object":
            bounded = "additionalProperties" not in part or "maxProperties" in part
        else:
            bounded = part.get("type") not in keys or "enum" in part or keys[part["type"]] in part
        if not bounded:
            unbounded.append((kind, path))
    assert unbounded == []


def test_every_number_of_the_spec_has_a_smallest_and_a_largest() -> None:
    numbers = [(path, part) for _, path, part in PARTS if path.startswith("spec.") and part.get("type") in
        ("integer", "number")]  # fmt: skip
    assert len(numbers) > 30
    loose = {path for path, part in numbers if "minimum" not in part or "maximum" not in part}
    assert loose == {"spec.pools[].tolerations[].tolerationSeconds"}  # below 0 it means never, as in Kubernetes


def test_every_field_says_what_it_is() -> None:
    def said(path: str, part: dict[str, Any]) -> bool:
        return path.endswith(("[]", "*")) or path in ("apiVersion", "kind", "metadata") or bool(part.get("description"))

    assert [(kind, path) for kind, path, part in PARTS if not said(path, part)] == []
    texts = {part["description"] for _, _, part in PARTS if "description" in part}
    assert [text for text in texts if text[-1] != "."] == []


def test_what_is_told_apart_by_a_key_has_that_key() -> None:
    maps = [(path, part) for _, path, part in PARTS if part.get("x-kubernetes-list-type") == "map"]
    assert {path for path, _ in maps} >= {
        "spec.pools",
        "spec.pools[].env",
        "spec.inputs",
        "status.conditions",
        "status.pools",
    }
    for path, part in maps:
        items = part["items"]
        for key in part["x-kubernetes-list-map-keys"]:
            assert key in items.get("required", ()) or "default" in items["properties"][key], path


def test_the_texts_are_about_fields_that_there_are() -> None:
    models = [getattr(schema_of_files, name) for name in schema_of_files.__all__] + [DataFlowSpec]
    known = {(model.__name__, field) for model in models for field in getattr(model, "model_fields", ())}
    assert [entry for entry in FLOW if entry not in known] == []


def test_an_object_says_what_a_file_says_and_core_knows_the_rest_by_name() -> None:
    of_files = set(PlainFlow.model_fields)
    assert of_files == set(LinkedFlow.model_fields)
    assert of_files | set(ClusterPart.model_fields) == set(DataFlowSpec.model_fields)
    assert f"{GROUP}/{VERSION}" == API_VERSION
    assert FILE_KIND == DATAFLOW


def test_names_and_what_lists_show() -> None:
    flow, run = (DEFINITIONS[kind]["spec"] for kind in DEFINITIONS)
    assert (flow["names"]["shortNames"], run["names"]["shortNames"]) == (["df"], ["dfr"])
    assert flow["names"]["categories"] == run["names"]["categories"] == ["tidemill"]
    (version,) = flow["versions"]
    assert version["subresources"]["scale"]["specReplicasPath"] == ".spec.replicas"
    columns = version["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if not column.get("priority")]
    assert narrow == ["Succeeded", "Reason", "Done", "Failed", "Total", "ETA", "Age"]
    (version,) = run["versions"]
    assert version["selectableFields"] == [{"jsonPath": ".spec.dataFlowRef.name"}]


def test_a_status_has_a_bounded_number_of_everything() -> None:
    status = schema(DATAFLOW)["properties"]["status"]["properties"]
    assert status["failures"]["maxItems"] == MOST_FAILURES
    assert status["conditions"]["maxItems"] >= len(CONDITIONS)
    assert status["durationSeconds"]["type"] == "integer"


def test_what_is_generated_is_up_to_date() -> None:
    for name, text in files().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name} is stale: run `make generate`"


def test_the_manifest_holds_both_definitions() -> None:
    assert list(yaml.safe_load_all(MANIFEST)) == list(DEFINITIONS.values())


def test_the_chart_can_leave_them_out_and_keep_them() -> None:
    for text in chart_files().values():
        assert "{{- if .Values.crds.enabled }}" in text
        assert "helm.sh/resource-policy: keep" in text
        plain = "\n".join(line for line in text.splitlines() if "{{" not in line and "resource-policy" not in line)
        (made,) = [made for made in DEFINITIONS.values() if made["metadata"]["name"] in text.split("spec:")[0]]
        assert yaml.safe_load(plain) == made


def test_stale_files_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tmp_path) == 1
    assert "manifests/crds.yaml is not what" in capsys.readouterr().err
    assert main(["--write"], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "manifests/crds.yaml").write_text("")
    assert main(["--check"], tmp_path) == 1
    assert main(["--bogus"], tmp_path) == 2


def test_the_module_prints_them() -> None:
    command = [sys.executable, "-W", "error", "-m", "tidemill_operator.kinds"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == MANIFEST
