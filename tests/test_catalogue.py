"""Bad input, case by case, and the test that shows what becomes of it: objects (A), the HTTP API (D), the chart (F).

A test is named by its file and function, and by the case of its parameters where there are several.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

ADMISSION = "operator/kinds/test_admission.py::test_an_object_is_refused_with_its_reason"
ADMITTED = "operator/kinds/test_admission.py"
FLOWS = "operator/kinds/test_bad_flows.py"
CLUSTER = "operator/kinds/test_in_a_cluster.py"
PROBLEMS = "plan/test_problems.py"
YAML = "formats/test_yaml_text.py"
API = "operator/api"
HOSTILE = f"{API}/test_hostile.py"
BAD = f"{API}/test_bad.py"
CHART = "charts/test_refusals.py::test_it_is_refused_with_its_name"
REAL = "e2e/test_bad_input.py"

CASES: dict[str, tuple[str, ...]] = {
    "A1 no operations": (f"{ADMISSION}[no operations]",),
    "A2 operations as a list": (f"{ADMISSION}[a list of operations]",),
    "A3 empty operations": (f"{ADMISSION}[empty operations]",),
    "A4 a flow of unknown operations": (f"{ADMISSION}[a flow of unknown operations]",),
    "A5 a parameter that the operation lacks": (f"{FLOWS}::test_findings_about_a_data_flow",),
    "A6 an output that there is not": (f"{FLOWS}::test_findings_about_a_data_flow",),
    "A7 a parameter without a source": (f"{FLOWS}::test_what_is_only_warned_of",),
    "A8 an output of another type": (f"{FLOWS}::test_findings_about_a_data_flow",),
    "A9 one name for two definitions": (f"{FLOWS}::test_findings_about_a_data_flow",),
    "A10 an operation that no worker has": (
        "e2e/test_flows.py::test_what_nobody_implements_is_named",
        "operator/test_passes.py::test_an_operation_that_workers_lack_is_named",
    ),
    "A11 an image from elsewhere": ("charts/test_api_server.py::test_the_policy_refuses_by_name",),
    "A12 names that are paths, lines, too long": (
        f"{ADMISSION}[code by a path]",
        f"{ADMISSION}[code on two lines]",
        f"{ADMISSION}[code with a long name]",
        f"{ADMISSION}[an operation called by a path]",
    ),
    "A13 too many operations and seeds": (f"{ADMISSION}[many operations]", f"{ADMISSION}[many seeds]"),
    "A14 an unknown field": (f"{ADMISSION}[an unknown field]",),
    "A15 an unknown field that nobody looks at": (
        f"{ADMITTED}::test_an_unknown_field_is_pruned_where_validation_is_turned_off",
        "formats/test_document.py",
    ),
    "A16 a key that is there twice": (f"{CLUSTER}::test_of_keys_that_are_there_twice_the_last_counts",),
    "A17 aliases that become large": (YAML,),
    "A18 words that YAML reads as something else": (YAML, f"{FLOWS}::test_findings_about_values"),
    "A19 not a number": (f"{ADMISSION}[not a number]",),
    "A20 null": (f"{FLOWS}::test_findings_about_a_data_flow", f"{FLOWS}::test_findings_about_values"),
    "A21 large integers": (
        f"{ADMITTED}::test_large_integers_stay_what_they_were",
        f"{FLOWS}::test_findings_about_values",
    ),
    "A22 a whole float": (f"{FLOWS}::test_a_whole_float_that_was_stored_as_an_integer_is_a_float",),
    "A23 bytes that are no text": (YAML, "formats/test_json_text.py", "formats/test_read.py"),
    "A24 half a surrogate pair": (f"{FLOWS}::test_half_a_surrogate_pair_is_no_text",),
    "A25 values that nest without end": (
        "e2e/test_flows.py::test_values_that_nest_without_end_are_refused_and_the_operator_lives",
        "operator/test_real.py::test_an_object_that_nests_thousands_deep_hurts_nobody",
        f"{ADMITTED}::test_a_deep_value_is_admitted_here_and_left_to_the_operator",
    ),
    "A26 large objects": (f"{CLUSTER}::test_the_largest_objects_are_within_what_rules_may_cost",),
    "A27 larger than the API server takes": (
        f"{ADMISSION}[more than the store takes]",
        f"{CLUSTER}::test_large_objects",
    ),
    "A28 larger than what a plain apply remembers": (f"{CLUSTER}::test_large_objects",),
    "A29 limits that are none": (
        f"{ADMISSION}[no parameter sets]",
        f"{ADMISSION}[parameter sets as text]",
        f"{ADMISSION}[too many parameter sets]",
    ),
    "A30 a run that is edited": (f"{CLUSTER}::test_a_run_stays_what_it_is",),
    "A31 a status by somebody else": (
        "e2e/test_rights.py::test_who_may_edit_may_not_write_what_the_operator_has_found_out",
        f"{CLUSTER}::test_a_tenant_writes_objects_and_not_their_status",
    ),
    "A32 a run that ended is begun again": (f"{CLUSTER}::test_a_run_that_has_ended_stays_ended",),
    "A33 an operation that feeds itself": (f"{FLOWS}::test_what_is_only_warned_of",),
    "A34 more combinations than can be": (f"{REAL}::test_more_combinations_than_the_limit_fail_their_context_alone",),
    "A35 a data flow that runs itself": (f"{PROBLEMS}::test_a_data_flow_that_runs_itself",),
    "A36 a data flow of another namespace": (f"{ADMISSION}[a run of another namespace]",),
    "A37 too many locks": (f"{PROBLEMS}::test_a_lock_on_too_many_inputs",),
    "A38 a condition that is no boolean": (f"{FLOWS}::test_what_is_only_warned_of",),
    "A39 validators that wait for each other": (f"{PROBLEMS}::test_validators_that_wait_for_each_other",),
    "A40 long names with dots": (f"{ADMITTED}::test_a_good_object_is_admitted[a long name]",),
    "A41 an old version": (f"{ADMISSION}[an old version]",),
    "A42 a Secret of another namespace, or none": (
        f"{ADMISSION}[a Secret of another namespace]",
        f"{REAL}::test_a_secret_that_is_not_there_is_named_and_never_shown",
    ),
    "A43 times that are none": (f"{ADMISSION}[time to live below 0]", f"{ADMISSION}[a timeout in words]"),
    "D1 no token that is known": (
        f"{API}/test_access.py::test_without_a_token_that_is_known_nothing_is_said",
        f"{API}/test_access.py::test_a_token_has_to_be_for_the_audiences_that_are_asked_for",
        "e2e/test_api.py::test_who_has_no_rights_is_told_which",
    ),
    "D2 no rights": (
        f"{API}/test_access.py::test_a_right_that_is_missing_is_named",
        f"{API}/test_access.py::test_who_may_not_ask_does_not_learn_what_is_there",
    ),
    "D3 bodies without end, and slow ones": (
        f"{BAD}::test_a_line_without_end_is_cut_off",
        f"{BAD}::test_a_client_that_falls_silent_is_given_up",
    ),
    "D4 what only looks like JSON": (
        f"{BAD}::test_a_line_that_is_none_is_refused",
        f"{HOSTILE}::test_lines_that_only_look_like_json",
    ),
    "D5 the same key for something else": (
        f"{API}/test_contexts.py::test_a_name_with_other_content_gets_another_name",
        f"{API}/test_contexts.py::test_what_is_sent_again_is_opened_once",
    ),
    "D6 pages that there are not": (f"{HOSTILE}::test_cursors_that_no_page_has_ended_with",),
    "D7 paths that lead nowhere": (f"{HOSTILE}::test_paths_that_lead_nowhere",),
    "D8 pages of others": (f"{API}/test_access.py::test_web_pages_of_others_may_not_ask",),
    "D9 values that are pages": (f"{HOSTILE}::test_what_looks_like_a_page_is_sent_as_data",),
    "D10 answers that last": (f"{BAD}::test_only_so_many_responses_last_at_once",),
    "D11 labels out of data": ("charts/test_monitoring.py::test_labels_are_few_and_none_has_the_name_of_a_run",),
    "D12 a store that is away": (f"{BAD}::test_a_store_that_is_away_is_said_to_be",),
    "D13 heads that two servers read differently": (f"{HOSTILE}::test_heads_that_two_servers_would_read_differently",),
    "F1 two operators": (f"{CHART}[F1 two operators]",),
    "F2 a Lease too short": (
        f"{CHART}[F2 a Lease too short to be renewed]",
        f"{ADMISSION}[no time to end]",
    ),
    "F3 an unknown key, a wrong type": (f"{CHART}[F3 an unknown key]", f"{CHART}[F3 a wrong type]"),
    "F4 passwords in the clear": (f"{CHART}[F4 a password in the values]", f"{CHART}[F4 no TLS to somewhere else]"),
    "F5 memory without a limit": (f"{CHART}[F5 no memory limit]", f"{CHART}[F5 maxmemory too near the limit]"),
    "F6 durable without a volume": (f"{CHART}[F6 durable without a volume]",),
    "F7 nothing to act on": (f"{CHART}[F7 nothing to act on]",),
    "F8 a tag that is moved": (f"{CHART}[F8 a tag that is moved]",),
    "F9 kinds that are older than the operator": (
        "operator/test_trouble.py::test_kinds_that_are_missing_or_too_old_are_waited_for",
    ),
    "F10 policies that nobody enforces": ("charts/test_renders.py::test_notes_say_what_to_type_next",),
    "F11 an old Kubernetes": ("charts/test_refusals.py::test_an_old_kubernetes_is_refused",),
    "F12 two releases": (
        "charts/test_renders.py::test_two_releases_in_one_namespace_share_nothing_but_the_kinds",
        "e2e/test_release.py::test_helm_test_runs_a_data_flow",
    ),
}


def test_no_case_is_missing() -> None:
    numbers = [case.split()[0] for case in CASES]
    assert numbers == [f"{part}{at}" for part, many in (("A", 43), ("D", 13), ("F", 12)) for at in range(1, many + 1)]


@pytest.mark.parametrize("case", CASES)
def test_its_tests_are_there(case: str) -> None:
    for named in CASES[case]:
        path, _, rest = named.partition("::")
        function, _, parameter = rest.partition("[")
        text = (ROOT / path).read_text(encoding="utf-8")
        if function:
            tree = ast.walk(ast.parse(text))
            assert function in {one.name for one in tree if isinstance(one, FUNCTIONS)}, named
        assert f'"{parameter.removesuffix("]")}"' in text or not parameter, named
