"""A data flow is estimated by the real engine in virtual time: what waits for what is as in a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import tidemill
from tidemill import Definition, Estimate, Input
from tidemill.errors import LoadError, MetricError, OperationException
from tidemill.metrics.histograms import Histogram
from tidemill.metrics.measured import MEMORY, RATIO, SECONDS
from tidemill.metrics.series import Recorder
from tidemill.orchestrator.estimating import Estimated, estimate
from tidemill.orchestrator.stubs import Measured, placeholder

N = Definition("n", "int")
URL = Definition("url", "str")
PAGE = Definition("page", "str")
SESSION = Definition("session", "str", lock=True)


def urls_and_fetch(**said: Any) -> tuple[Any, Any]:
    """Two operations with stubs: one gives so many addresses, the other takes two seconds for each."""

    @tidemill.op(name="urls", inputs={"n": N}, outputs={"url": URL}, expand=["url"])
    async def urls(n: int) -> dict[str, list[str]]:
        raise AssertionError("an estimate calls no operation")

    @urls.estimate
    def _(n: int) -> Estimate:
        return Estimate(seconds=1, items=n)

    @tidemill.op(name="fetch", outputs={"page": PAGE}, **{"inputs": {"url": URL}, **said})
    async def fetch(**inputs: str) -> dict[str, str]:
        raise AssertionError("an estimate calls no operation")

    @fetch.estimate
    def _(url: str) -> Estimate:
        return Estimate(seconds=2, memory=100)

    return urls, fetch


async def estimated(*operations: Any, inputs: list[Input] | None = None, many: int = 1, **said: Any) -> Estimated:
    flow = tidemill.DataFlow(*operations)
    given = inputs if inputs is not None else [Input(10, N)]
    sets = ((f"c{at}", [Input(one.value, one.definition) for one in given]) for at in range(many))
    return await estimate(flow, sets, **said)


async def test_calls_run_side_by_side_as_there_are_slots() -> None:
    found = await estimated(*urls_and_fetch())
    assert (found.seconds, found.memory, found.parameter_sets) == (3, 1000, 11)
    found = await estimated(*urls_and_fetch(), slots=2)
    assert (found.seconds, found.memory) == (1 + 5 * 2, 200)
    found = await estimated(*urls_and_fetch(), slots=2, workers=5)
    assert (found.seconds, found.busy) == (3, 21 / 3)


async def test_the_critical_path_is_what_no_worker_shortens() -> None:
    found = await estimated(*urls_and_fetch(), slots=1)
    assert found.seconds == 21
    assert found.critical == [("urls", 1), ("fetch", 2)]
    assert found.critical_seconds == 3


async def test_an_operation_runs_as_often_at_once_as_it_may() -> None:
    assert (await estimated(*urls_and_fetch(concurrency=4))).seconds == 1 + 3 * 2


async def test_who_needs_the_same_lock_waits() -> None:
    inputs = [Input(10, N), Input("s", SESSION)]
    found = await estimated(*urls_and_fetch(inputs={"url": URL, "session": SESSION}), inputs=inputs)
    assert (found.seconds, found.memory) == (1 + 10 * 2, 100)


@pytest.mark.parametrize(
    ("executor", "workers", "seconds"), [("process", 1, 5 * 2), ("process", 5, 2), ("loop", 1, 10 * 2)]
)
async def test_what_needs_a_core_waits_for_one(executor: str, workers: int, seconds: float) -> None:
    @tidemill.op(name="crunch", inputs={"n": N}, outputs={}, executor=executor)
    def crunch(n: int) -> None:
        raise AssertionError("an estimate calls no operation")

    crunch.estimate(lambda: Estimate(seconds=2))
    found = await estimated(crunch, inputs=[Input(at, N) for at in range(10)], cores=2, workers=workers)
    assert found.seconds == seconds


async def test_contexts_share_the_slots() -> None:
    found = await estimated(*urls_and_fetch(), many=3, slots=1, inputs=[Input(2, N)])
    assert (found.contexts, found.seconds, found.parameter_sets) == (3, 3 * (1 + 2 * 2), 9)


async def test_more_contexts_than_are_open_at_once_are_all_run() -> None:
    found = await estimated(*urls_and_fetch(), many=2500, slots=10, inputs=[Input(0, N)])
    assert (found.contexts, found.seconds) == (2500, 250)


async def test_gates_open_for_placeholders_and_outputs_of_stubs_decide() -> None:
    good = Definition("good", "bool")

    @tidemill.op(name="check", inputs={"n": N}, outputs={"good": good})
    async def check(n: int) -> dict[str, bool]:
        raise AssertionError("an estimate calls no operation")

    @tidemill.op(name="then", inputs={"n": N}, outputs={}, conditions=[good])
    async def then(n: int) -> None:
        raise AssertionError("an estimate calls no operation")

    assert (await estimated(check, then, default=3)).seconds == 6
    check.estimate(lambda n: Estimate(seconds=1, outputs={"good": False}))
    found = await estimated(check, then)
    assert (found.seconds, found.parameter_sets) == (1, 1)


async def test_child_contexts_are_estimated_as_well() -> None:
    below = tidemill.DataFlow(*urls_and_fetch())
    flow = tidemill.DataFlow(
        operations={"below": tidemill.run_dataflow}, configs={"below": tidemill.RunDataFlowConfig(dataflow=below)}
    )
    definition = tidemill.run_dataflow.op.inputs["inputs"]
    given = {name: [{"value": 3, "definition": "n"}] for name in ("one", "two")}
    found = await estimate(flow, [("c", [Input(given, definition)])])
    assert found.seconds == 3
    assert found.operations["fetch"].calls == 6
    assert found.operations["below"].source == "subflow"
    assert found.critical == [("urls", 1), ("fetch", 2)]


async def test_cleanup_comes_after_all_else() -> None:
    @tidemill.op(name="tidy", inputs={"n": N}, outputs={}, stage=tidemill.Stage.CLEANUP)
    async def tidy(n: int) -> None:
        raise AssertionError("an estimate calls no operation")

    tidy.estimate(lambda n: Estimate(seconds=5))
    found = await estimated(*urls_and_fetch(), tidy, tidemill.GetSingle)
    assert found.seconds == 8
    assert found.critical == [("urls", 1), ("fetch", 2), ("tidy", 5)]


async def test_what_a_validator_lets_through_is_still_on_the_path() -> None:
    checked = Definition("checked", "str", validate="is_good")

    @tidemill.op(name="is_good", inputs={"checked": checked}, outputs={"checked": checked}, validator=True)
    async def is_good(checked: str) -> dict[str, str]:
        raise AssertionError("an estimate calls no operation")

    @tidemill.op(name="make", inputs={"n": N}, outputs={"checked": checked})
    async def make(n: int) -> dict[str, str]:
        raise AssertionError("an estimate calls no operation")

    @tidemill.op(name="use", inputs={"checked": checked}, outputs={})
    async def use(checked: str) -> None:
        raise AssertionError("an estimate calls no operation")

    found = await estimated(is_good, make, use, default=1)
    assert found.parameter_sets == 3
    assert found.seconds == 3
    assert found.critical_seconds == 3


def measured(seconds: tuple[float, ...] = (), ratio: tuple[float, ...] = (), memory: tuple[float, ...] = ()) -> Any:
    recorder = Recorder()
    scope = recorder.scope("flow", "fetch")
    for kind, values in ((SECONDS, seconds), (RATIO, ratio), (MEMORY, memory)):
        for value in values:
            scope.observe(kind, value)
    return Measured.of(recorder)


async def test_what_was_measured_corrects_a_stub() -> None:
    found = await estimated(*urls_and_fetch(), measured=measured(ratio=(1, 2), seconds=(90,)))
    assert found.seconds == 1 + 2 * 1.5
    assert {name: one.source for name, one in found.operations.items()} == {"fetch": "corrected", "urls": "stub"}


async def test_what_was_measured_stands_for_a_stub_that_is_missing() -> None:
    @tidemill.op(name="fetch", inputs={"n": N}, outputs={})
    async def fetch(n: int) -> None:
        raise AssertionError("an estimate calls no operation")

    found = await estimated(fetch, measured=measured(seconds=(4, 6), memory=(1000,)))
    assert found.seconds == 5
    assert found.operations["fetch"].source == "measured"
    assert 900 < found.memory < 1100
    found = await estimated(fetch)
    assert (found.seconds, found.operations["fetch"].source) == (1, "default")


async def test_a_bare_value_is_the_output() -> None:
    @tidemill.op
    async def words(n: int) -> str:
        raise AssertionError("an estimate calls no operation")

    words.estimate(lambda n: Estimate(seconds=1, outputs="word" * n))
    flow = tidemill.DataFlow(words)
    (definition,) = words.op.inputs.values()
    for inputs in flow.flow.values():
        inputs.inputs = {"n": ["seed"]}
    assert (await estimate(flow, [("c", [Input(2, definition)])])).seconds == 1


async def test_more_combinations_than_may_be_are_said() -> None:
    flow = tidemill.DataFlow(*urls_and_fetch(), limits=tidemill.Limits(parameter_sets=5))
    with pytest.raises(OperationException, match="5"):
        await estimate(flow, [("c", [Input(10, N)])])


async def test_outputs_that_do_not_fit_are_said() -> None:
    urls, fetch = urls_and_fetch()
    fetch.estimate(lambda url: Estimate(outputs={"page": 3}))
    with pytest.raises(OperationException, match="expected str"):
        await estimated(urls, fetch)


@pytest.mark.parametrize(
    ("stub", "said"),
    [
        (lambda url: 3, "returned 3, expected tidemill.Estimate"),
        (lambda url: 1 / 0, "has failed: ZeroDivisionError"),
        (lambda url: Estimate(seconds=-1), "the estimate of seconds is -1"),
        (lambda url: Estimate(items=3), r"says items=3, and \"fetch\" expands \[\]"),
    ],
)
async def test_a_stub_that_is_wrong_is_said(stub: Callable[[str], Any], said: str) -> None:
    urls, fetch = urls_and_fetch()
    fetch.estimate(stub)
    with pytest.raises(MetricError, match=said):
        await estimated(urls, fetch)


def test_a_stub_has_the_parameters_of_its_operation() -> None:
    _, fetch = urls_and_fetch()
    with pytest.raises(LoadError, match='its estimate has a parameter "uri".*url'):
        fetch.estimate(lambda uri: Estimate())

    async def later(url: str) -> Estimate:
        return Estimate()

    with pytest.raises(LoadError, match="an estimate is a plain function"):
        fetch.estimate(later)
    fetch.estimate(lambda **inputs: Estimate())
    fetch.estimate(lambda: Estimate())


class Point(NamedTuple):
    """A spec that cannot be made of nothing."""

    x: int


class Origin(NamedTuple):
    """One that can."""

    x: int = 0


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        (Definition("a", "int"), 1),
        (Definition("a", "boolean"), True),
        (Definition("a", "anything"), "placeholder"),
        (Definition("a", "int", default=7), 7),
        (Definition("a", "str", default=None), "placeholder"),
        (Definition("a", "map", spec=Origin), Origin()),
        (Definition("a", "array", spec=Point, subspec=True), []),
        (Definition("a", "map", spec=Point, subspec=True), {}),
    ],
)
def test_a_placeholder_is_of_the_type(definition: Definition, value: Any) -> None:
    assert placeholder(definition) == value


def test_what_nothing_stands_for_is_said() -> None:
    with pytest.raises(MetricError, match='nothing stands for a value of "a"'):
        placeholder(Definition("a", "map", spec=Point))


async def test_how_wrong_an_estimate_was_is_measured_in_a_run(caplog: pytest.LogCaptureFixture) -> None:
    @tidemill.op(name="double", inputs={"n": N}, outputs={})
    async def double(n: int) -> None:
        pass

    @double.estimate
    def guess(n: int) -> Estimate:
        return Estimate(seconds=1000) if n else Estimate(seconds="much")  # type: ignore[arg-type]

    async with tidemill.MemoryOrchestrator() as orchestrator, orchestrator(tidemill.DataFlow(double)) as octx:
        async for _ in octx.outcomes([Input(at, N) for at in range(3)]):
            pass
        found = {one["name"]: one["value"] for one in octx.metrics.plain()}
    ratio = Histogram.of(found[RATIO.name])
    assert ratio.count == 2 and ratio.sum < 1
    assert "the estimate of double: the estimate of seconds is 'much'" in caplog.text
