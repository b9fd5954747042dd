"""A backend under test: what the contract suite needs to know of one besides the `Backend` protocol."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from tests.contract.clock import Clock
from tidemill.engine.inputs import Item
from tidemill.engine.parameters import ParameterSet
from tidemill.networks.backend import Backend

__all__ = ["Choose", "Factory", "Subject"]

Choose = Callable[[int], int] | None


@dataclass(frozen=True)
class Subject:
    """A backend under test.

    ``check`` looks inside for what must hold between any two steps, given every parameter set that was ever leased;
    ``left`` counts what the backend still keeps of contexts that have ended and been asked for; ``refused`` counts the
    reports that it did not take; ``existing`` counts the parameter sets that exist; ``above`` returns the inputs of one
    that is leased, with all their ancestors; ``hears`` lets listeners hear what has been said to them.
    ``keeps_objects``: any Python object is a value, and comes back as itself.
    """

    backend: Backend
    check: Callable[[Iterable[ParameterSet]], None]
    left: Callable[[], int]
    refused: Callable[[], int]
    existing: Callable[[], int]
    above: Callable[[ParameterSet], Awaitable[tuple[Item, ...]]]
    hears: Callable[[], Awaitable[None]]
    keeps_objects: bool


class Factory(Protocol):
    """Makes a backend for one test. Where it can be told in which order to lease, ``choose`` says that."""

    def __call__(self, clock: Clock, choose: Choose = None) -> AbstractAsyncContextManager[Subject]: ...
