"""Engines as one would write them at first: each is the memory backend with one plausible mistake in it.

They are there to show that the contract suite notices such a mistake (`test_naive_variants`). Each patches the memory
backend by the dotted names of its parts, so nothing here has to import it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import pytest

__all__ = ["VARIANTS", "Variant"]

MEMORY = "tidemill.backends.memory"
Patch = Callable[["Parts"], None]


class Parts:
    """The parts of the memory backend, by name: what they are, and what to put in their place for one test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def get(self, name: str) -> Any:
        """Return a part as it is."""
        return resolve_name(f"{MEMORY}.{name}")

    def put(self, name: str, part: Any) -> None:
        """Put something else in the place of a part, which has to be there."""
        self._monkeypatch.setattr(f"{MEMORY}.{name}", part)


@dataclass(frozen=True)
class Variant:
    """A mistake. ``test`` (module, name) is a test that catches it; ``flows`` says whether random data flows do too,
    and soon enough to be run every time."""

    name: str
    patch: Patch
    test: tuple[str, str]
    flows: bool


VARIANTS: dict[str, Variant] = {}


def variant(module: str, test: str, flows: bool = True) -> Callable[[Patch], Patch]:
    """Add a mistake to the list, under the name of its function, with the test that catches it."""

    def add(patch: Patch) -> Patch:
        name = patch.__name__.replace("_", " ")
        VARIANTS[name] = Variant(name, patch, (f"tests.contract.test_{module}", f"test_{test}"), flows)
        return patch

    return add


# -- combinations -----------------------------------------------------------------------------------------------------


def arriving(parts: Parts, upto: Callable[[int, int, int, int], int]) -> None:
    """Match with other bounds: ``upto(at, place, before, now)`` is how many candidates at a parameter are joined."""
    box_of = resolve_name("tidemill.engine.matching.Box")

    def arrive(operation: Any, candidates: Any, places: Any, item: Any, active: bool = True) -> list[Any]:
        before = [len(listed) for listed in candidates]
        for place in places:
            candidates[place].append(item)
        if not active:
            return []
        boxes = []
        for place in places:
            ranges = [
                (before[at], before[at] + 1) if at == place else (0, upto(at, place, before[at], len(listed)))
                for at, listed in enumerate(candidates)
            ]
            boxes.append(box_of(operation, ranges))
        return [box for box in boxes if box.size]

    parts.put("flowing.arrive", arrive)


def forgetting(parts: Parts) -> None:
    """Let the redundancy checker say of everything that it is new."""
    take = parts.get("redundancy.MemoryRedundancyChecker.take")
    parts.put("redundancy.MemoryRedundancyChecker.take", lambda *asked: bool(take(*asked)) or True)


@variant("rule_01_new_combinations", "two_parameters_of_one_definition_give_all_ordered_combinations")
def joins_only_what_is_older_on_both_sides(parts: Parts) -> None:
    arriving(parts, lambda at, place, before, now: before)


@variant("rule_01_new_combinations", "two_parameters_of_one_definition_give_all_ordered_combinations", flows=False)
def joins_what_is_not_younger_on_both_sides_and_forgets_what_was_taken(parts: Parts) -> None:
    arriving(parts, lambda at, place, before, now: now)
    forgetting(parts)


@variant("rule_01_new_combinations", "every_combination_of_two_definitions_runs_once")
def walks_a_box_twice_and_forgets_what_was_taken(parts: Parts) -> None:
    arrive = parts.get("flowing.arrive")
    parts.put(
        "flowing.arrive", lambda *arrival: [box for one in range(2) for box in arrive_again(arrive, one, arrival)]
    )
    forgetting(parts)


def arrive_again(arrive: Any, again: int, arrival: tuple[Any, ...]) -> list[Any]:
    """Match an arrival, or match it once more without adding it to the candidates again."""
    if not again:
        return list(arrive(*arrival))
    operation, candidates, places, item, *active = arrival
    for place in places:
        candidates[place].pop()
    return list(arrive(operation, candidates, places, item, *active))


@variant("rule_04_redundancy", "equal_values_are_distinct_inputs")
def knows_inputs_by_their_values(parts: Parts) -> None:
    def key_of(operation: Any, items: Any) -> Any:
        return (operation.index, *[repr(item.value) for item in items])

    parts.put("redundancy.key_of", key_of)


@variant("rule_04_redundancy", "ordered_permutations_are_different_combinations")
def knows_a_combination_by_its_inputs_without_their_parameters(parts: Parts) -> None:
    def key_of(operation: Any, items: Any) -> Any:
        return (operation.index, frozenset(item.number for item in items))

    parts.put("redundancy.key_of", key_of)


@variant("rule_03_origins", "a_path_is_looked_for_above_every_parent_of_one_origin", flows=False)
def looks_for_a_path_above_the_first_parent_only(parts: Parts) -> None:
    def has_path(item: Any, path: Any) -> bool:
        for origin in path:
            found = next((one for one in item.parents if one.channel and one.channel.origin == origin), None)
            if found is None:
                return False
            item = found
        return True

    parts.put("flowing.has_path", has_path)


@variant("rule_17_limits", "of_a_large_product_only_the_work_in_flight_exists", flows=False)
def makes_every_combination_at_once(parts: Parts) -> None:
    parts.put("flowing.room", lambda backlog: 1_000_000_000)


# -- gates and defaults -----------------------------------------------------------------------------------------------


@variant("rule_05_conditions", "a_gate_never_closes")
def closes_a_gate_again_with_a_false_input(parts: Parts) -> None:
    knock = parts.get("flowing.Flowing._knock")

    def closing(self: Any, context: Any, door: Any, item: Any) -> None:
        index = door.operation.index
        if item.value:
            knock(self, context, door, item)
            return
        context.satisfied[index] = context.satisfied.get(index, frozenset()) - {door.group}
        context.active = context.active - {index}

    parts.put("flowing.Flowing._knock", closing)


@variant("rule_05_conditions", "all_conditions_have_to_be_met")
def opens_a_gate_with_any_condition(parts: Parts) -> None:
    for module in ("flowing", "stages"):
        parts.put(f"{module}.is_open", lambda operation, satisfied: bool(satisfied))


@variant("rule_06_defaults", "a_default_waits_for_the_operations_that_another_default_may_start", flows=False)
def takes_all_defaults_at_once(parts: Parts) -> None:
    def at_quiet(plan: Any, active: Any, has_candidate: Any) -> list[Any]:
        places = []
        for operation in active:
            missing = [one for one in operation.parameters if not has_candidate(operation.index, one.index)]
            places += [(operation, one) for one in missing] if all(one.has_default for one in missing) else []
        return places

    parts.put("stages.at_quiet", at_quiet)


@variant("rule_06_defaults", "no_default_is_taken_where_an_output_has_come")
def takes_defaults_without_waiting_for_quiet(parts: Parts) -> None:
    def at_close(plan: Any, has_candidate: Any) -> list[Any]:
        return [
            (operation, parameter)
            for operation in plan.operations
            for parameter in operation.parameters
            if parameter.has_default and not has_candidate(operation.index, parameter.index)
        ]

    parts.put("stages.at_close", at_close)


@variant("rule_12_validators", "the_validated_value_matches_where_the_raw_one_would")
def takes_a_validated_value_for_just_another_output(parts: Parts) -> None:
    parts.put("operations.Bound.arrival", lambda self, channel, parents: channel)


# -- locks ------------------------------------------------------------------------------------------------------------


@variant("rule_07_locks", "one_at_a_time_holds_a_locked_input_in_the_order_in_which_they_came")
def gives_locks_back_before_the_work_is_done(parts: Parts) -> None:
    acquire, release = (parts.get(f"locks.MemoryLockNetwork.{verb}") for verb in ("acquire", "release"))

    def brief(self: Any, parameter_set: Any) -> bool:
        held = bool(acquire(self, parameter_set))
        if held:
            release(self, parameter_set)
        return held

    parts.put("locks.MemoryLockNetwork.acquire", brief)


@variant("rule_07_locks", "a_lock_is_held_for_the_descendants_of_an_input_too")
def forgets_the_locks_of_ancestors(parts: Parts) -> None:
    parts.put("inputs.locks_of", lambda items: frozenset())


@variant("rule_07_locks", "all_locks_are_taken_or_none")
def takes_locks_one_by_one(parts: Parts) -> None:
    def acquire(self: Any, parameter_set: Any) -> bool:
        queues = parameter_set.context.queues
        queues.join(parameter_set, parameter_set.locks)
        return any(queues.holds(parameter_set, (lock,)) for lock in parameter_set.locks)

    parts.put("locks.MemoryLockNetwork.acquire", acquire)


@variant("rule_07_locks", "a_holder_that_vanishes_loses_its_locks_and_waits_again")
def leaves_the_locks_with_a_worker_that_vanished(parts: Parts) -> None:
    lose = parts.get("settle.Settling._lose")

    def keeping(self: Any, parameter_set: Any, message: str) -> None:
        release, self._locks.release = self._locks.release, lambda one: []
        try:
            lose(self, parameter_set, message)
        finally:
            self._locks.release = release

    parts.put("settle.Settling._lose", keeping)


# -- stages -----------------------------------------------------------------------------------------------------------


@variant("rule_11_autostart", "it_runs_once_without_any_inputs_in_the_context")
def counts_work_as_done_before_its_outputs_are_there(parts: Parts) -> None:
    finish, completed = parts.get("settle.Settling._finish"), parts.get("settle.COMPLETED")

    def early(self: Any, report: Any) -> None:
        parameter_set = report.parameter_set
        finish(self, parameter_set, completed)
        self._stored(parameter_set, report.returned, parameter_set.emitted)

    parts.put("settle.Settling._completed", early)


@variant("rule_08_stages", "what_cleanup_gives_starts_cleanup_and_nothing_of_processing")
def does_not_end_a_stage_when_the_next_begins(parts: Parts) -> None:
    following = parts.get("stages.Stages._next")

    def staying(self: Any, context: Any) -> bool:
        before, more = context.active, bool(following(self, context))
        context.active = context.active | before
        return more

    parts.put("stages.Stages._next", staying)


@variant("rule_09_output", "the_order_is_canonical_whatever_the_order_of_completion")
def reads_inputs_in_the_order_of_their_arrival(parts: Parts) -> None:
    readable = resolve_name("tidemill.engine.order:readable")
    parts.put("inputs.readable", lambda visible, name: sorted(readable(visible, name), key=lambda item: item.number))


@variant("rule_09_output", "later_parameter_sets_of_one_operation_win")
def merges_results_in_the_order_of_their_arrival(parts: Parts) -> None:
    parts.put("stages.order_of_sets", lambda items, rank_of: ())


# -- workers ----------------------------------------------------------------------------------------------------------


@variant("rule_10_expand_and_generators", "a_rerun_after_a_loss_stores_nothing_twice")
def stores_again_what_a_rerun_emits_again(parts: Parts) -> None:
    def emitted(self: Any, report: Any) -> None:
        if self._stored(report.parameter_set, report.returned, report.emission):
            report.parameter_set.emitted = report.emission + 1

    parts.put("settle.Settling._emitted", emitted)


@variant("rule_13_retry", "a_lost_worker_costs_no_try")
def counts_a_lost_worker_as_a_failed_try(parts: Parts) -> None:
    failure = parts.get("settle._failure")

    def lose(self: Any, parameter_set: Any, message: str) -> None:
        self._try_again_or_fail(parameter_set, failure(parameter_set, "Exception", message))

    parts.put("settle.Settling._lose", lose)


@variant("faults", "a_worker_is_refused_once_it_is_held_to_have_vanished")
def takes_a_report_from_anybody(parts: Parts) -> None:
    leased = parts.get("implementations.LEASED")
    parts.put(
        "implementations.MemoryOperationImplementationNetwork.holds",
        lambda self, worker, report: report.parameter_set.state is leased,
    )


@variant("faults", "the_same_worker_is_refused_when_it_speaks_of_an_earlier_lease")
def takes_a_report_of_an_earlier_lease(parts: Parts) -> None:
    leased = parts.get("implementations.LEASED")

    def holds(self: Any, worker: str, report: Any) -> bool:
        return report.parameter_set.state is leased and report.parameter_set.worker == worker

    parts.put("implementations.MemoryOperationImplementationNetwork.holds", holds)


@variant("faults", "whenever_a_worker_vanishes_the_outcome_is_the_same")
def drops_what_a_vanished_worker_held(parts: Parts) -> None:
    finish, dropped = parts.get("settle.Settling._finish"), parts.get("settle.DROPPED")
    parts.put("settle.Settling._lose", lambda self, parameter_set, message: finish(self, parameter_set, dropped))
