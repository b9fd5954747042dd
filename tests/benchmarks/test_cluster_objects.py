"""Waiting for an operator with many objects: it ends when all is at rest, and when nothing moves."""

from collections.abc import Callable

import pytest

from benchmarks.cluster.objects import _settled


def _saying(*moments: tuple[int, int]) -> Callable[[], str]:
    """Return what tells one moment after the other, objects and statuses; the last one for ever."""
    left = list(moments)

    def read() -> str:
        objects, writes = left.pop(0) if len(left) > 1 else left[0]
        return (
            f'tidemill_operator_objects{{kind="DataFlow"}} {objects}\n'
            f'tidemill_operator_status_writes_total{{kind="DataFlow"}} {writes}\n'
        )

    return read


def test_it_waits_until_each_object_has_its_status_and_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    _settled(_saying((1, 9), (3, 9), (3, 11), (3, 12), (3, 13)), 3, 9.0, within=60.0, often=0.0)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "1 of 3 data flows are known, 0 statuses were written"
    assert said[-1] == "3 of 3 data flows are known, 4 statuses were written"


@pytest.mark.parametrize("still", [(2, 4), (3, 2)])
def test_it_ends_where_nothing_moves_any_more(still: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError, match=f"it knows {still[0]} of 3 data flows, and has written {still[1]} statuses"):
        _settled(_saying((1, 1), still), 3, 0.0, within=0.05, often=0.001)


def test_it_ends_where_statuses_are_written_for_ever() -> None:
    numbers = iter(range(10**9))

    def read() -> str:
        return _saying((3, next(numbers)))()

    with pytest.raises(RuntimeError, match="came no nearer to rest"):
        _settled(read, 3, 0.0, within=0.05, often=0.001)
