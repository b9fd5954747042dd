"""Lock queues against a plain model: nothing is held twice, something always moves, first come is first served."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidemill.engine.locks import Queues


class Waiter:
    """Equals only itself, as a parameter set does."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def test_a_free_lock_is_held_at_once() -> None:
    queues: Queues[str] = Queues()
    assert len(queues) == 0
    assert queues.join("a", [1, 2])
    assert queues.holds("a", [1, 2])
    assert len(queues) == 2


def test_nothing_is_held_while_one_of_the_locks_is_taken() -> None:
    queues: Queues[str] = Queues()
    assert queues.join("a", [2])
    assert not queues.join("b", [1, 2, 3])
    assert not queues.holds("b", [1, 2, 3])
    assert not queues.join("c", [1])  # b was first there, though it waits
    assert not queues.holds("c", [1])
    assert queues.leave("a", [2]) == ["b"]
    assert queues.holds("b", [1, 2, 3])
    assert queues.leave("b", [1, 2, 3]) == ["c"]
    assert queues.holds("c", [1])


def test_no_locks_are_always_held() -> None:
    queues: Queues[str] = Queues()
    assert queues.join("a", [])
    assert queues.holds("a", [])
    assert queues.leave("a", []) == []


def test_a_lock_that_nobody_asked_for_is_not_held() -> None:
    queues: Queues[str] = Queues()
    queues.join("a", [1])
    assert not queues.holds("a", [1, 2])
    assert not queues.holds("b", [2])


def test_leaving_names_who_is_first_now_and_was_not_before() -> None:
    queues: Queues[str] = Queues()
    queues.join("a", [1, 2, 3])
    queues.join("b", [1, 2])
    queues.join("c", [3])
    assert queues.leave("b", [1, 2]) == []  # it was waiting; a is first, as it was
    queues.join("b", [1, 2])
    assert queues.leave("a", [1, 2, 3]) == ["b", "c"]  # b once, though it moved up twice
    assert queues.leave("b", [1, 2]) == []
    assert queues.leave("c", [3]) == []
    assert len(queues) == 0


def test_who_is_not_first_everywhere_waits_and_counts_once() -> None:
    queues: Queues[str] = Queues()
    assert queues.waiting() == 0
    queues.join("a", [1])
    assert queues.waiting() == 0
    queues.join("b", [1, 2])
    queues.join("c", [2, 1])
    queues.join("d", [3])
    assert queues.waiting() == 2
    queues.leave("a", [1])
    assert queues.waiting() == 1


def test_leaving_what_was_never_joined_changes_nothing() -> None:
    queues: Queues[str] = Queues()
    queues.join("a", [1])
    queues.join("b", [2])
    queues.join("c", [2])
    assert queues.leave("x", [1, 9]) == []
    assert queues.leave("a", [9, 2, 1]) == []
    assert queues.holds("b", [2])
    assert queues.leave("b", [9, 1, 2]) == ["c"]  # the locks behind one it does not stand for are left too
    assert len(queues) == 1


class Model(RuleBasedStateMachine):
    """What the queues have to do, by searching: who came first among those that share a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.queues: Queues[Waiter] = Queues()
        self.waiting: list[tuple[Waiter, frozenset[int]]] = []  # in order of arrival
        self.arrived = 0

    def holders(self) -> list[Waiter]:
        """Those that share no lock with anybody who came before them."""
        return [
            waiter
            for at, (waiter, locks) in enumerate(self.waiting)
            if not any(locks & o for _, o in self.waiting[:at])
        ]

    @rule(locks=st.frozensets(st.integers(0, 4), min_size=1))
    def join(self, locks: frozenset[int]) -> None:
        waiter = Waiter(f"w{self.arrived}")
        self.arrived += 1
        held = self.queues.join(waiter, locks)
        self.waiting.append((waiter, locks))
        assert held == any(waiter is holder for holder in self.holders())

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), holding=st.booleans())
    def leave(self, data: st.DataObject, holding: bool) -> None:
        before = self.holders()
        ready = [
            at for at, (waiter, _) in enumerate(self.waiting) if not holding or any(waiter is other for other in before)
        ]
        waiter, locks = self.waiting.pop(data.draw(st.sampled_from(ready)))
        moved = self.queues.leave(waiter, locks)
        assert len({id(other) for other in moved}) == len(moved)
        fresh = [other for other in self.holders() if not any(other is held for held in before)]
        assert all(any(other is named for named in moved) for other in fresh)  # nobody is forgotten
        assert not any(other is waiter for other in moved)

    @invariant()
    def no_lock_is_held_twice(self) -> None:
        held = [(waiter, locks) for waiter, locks in self.waiting if self.queues.holds(waiter, locks)]
        taken = [lock for _, locks in held for lock in locks]
        assert len(taken) == len(set(taken))

    @invariant()
    def holders_are_those_who_came_first(self) -> None:
        held = [waiter for waiter, locks in self.waiting if self.queues.holds(waiter, locks)]
        assert [id(waiter) for waiter in held] == [id(waiter) for waiter in self.holders()]

    @invariant()
    def somebody_moves_and_nothing_is_left_over(self) -> None:
        assert bool(self.holders()) == bool(self.waiting)
        assert len(self.queues) == len(frozenset[int]().union(*(locks for _, locks in self.waiting)))


TestModel = Model.TestCase


@given(st.lists(st.frozensets(st.integers(0, 3), min_size=1), max_size=12))
def test_everybody_is_served_when_holders_leave(sets: list[frozenset[int]]) -> None:
    queues: Queues[int] = Queues()
    ready = [at for at, locks in enumerate(sets) if queues.join(at, locks)]
    served: list[int] = []
    while ready:
        leaving = ready.pop(0)
        served.append(leaving)
        ready += [other for other in queues.leave(leaving, sets[leaving]) if queues.holds(other, sets[other])]
    assert sorted(served) == list(range(len(sets)))
    assert all(
        served.index(one) < served.index(other)
        for other in range(len(sets))
        for one in range(other)
        if sets[one] & sets[other]
    )


def test_who_holds_a_lock_and_who_waits_for_it_are_told_in_their_order() -> None:
    queues: Queues[str] = Queues()
    for name in ("holds", "waits", "waits too"):
        queues.join(name, [1])
    queues.join("elsewhere", [2])
    assert queues.of(1) == ["holds", "waits", "waits too"]
    queues.leave("holds", [1])
    assert queues.of(1) == ["waits", "waits too"]
    assert queues.of(3) == []
