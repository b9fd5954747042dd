"""What an operation's code looks like to the runtime: an implementation, and a context of it for each call.

Both are async context managers. An implementation is entered once per orchestrator and operation instance, its context
around every call; state that calls share lives on ``self.parent``. Neighbours: `runtime.decorator` makes
them of functions, `runtime.prepare` enters them.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

from tidemill.errors import FailedToLoadOperationImplementation, NotOpImp, TidemillError, shown
from tidemill.model.dataflow import DataFlow
from tidemill.model.operation import Operation
from tidemill.runtime.config import as_config, plain_fields

__all__ = [
    "OperationImplementation",
    "OperationImplementationContext",
    "isoperation",
    "isopimp",
    "isopwraped",
    "operation_in",
    "opimp_in",
    "opimp_name",
    "opwraped_in",
]

Enter = Mapping[str, Callable[[Any], Any]]
"""For each attribute, what returns the async context manager whose value it is."""


class _Stacked:
    """An async context manager that enters others, and keeps their values as attributes."""

    ENTER: ClassVar[Enter | None] = None
    _stack: contextlib.AsyncExitStack | None = None

    async def __aenter__(self) -> Any:
        if self.ENTER:
            async with contextlib.AsyncExitStack() as stack:
                for name, enter in self.ENTER.items():
                    setattr(self, name, await stack.enter_async_context(enter(self)))
                self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()


class OperationImplementationContext(_Stacked):
    """One call of an operation.

    ``parent`` is the implementation, ``ctx`` the context that the call belongs to, ``octx`` the orchestrator context,
    whose ``ictx`` reads the input network. Subclass it with ``async def run(self, inputs)``, which returns a mapping of
    outputs, or None, or is an async generator of such mappings.
    """

    only_reads: ClassVar[bool] = False
    """Whether a call does nothing but read the input network, and may as well be made for nothing. A class says so of
    itself, and not of its subclasses."""
    op: ClassVar[Operation]  # of subclasses that were decorated
    imp: ClassVar[type[OperationImplementation]]
    test: ClassVar[Callable[..., Awaitable[Any]]]
    estimate: ClassVar[Callable[..., Any]]

    def __init__(self, parent: OperationImplementation, ctx: Any, octx: Any) -> None:
        self.parent = parent
        self.ctx = ctx
        self.octx = octx
        self.logger = parent.logger

    @property
    def config(self) -> Any:
        """The configuration of the implementation."""
        return self.parent.config

    @property
    def env(self) -> dict[str, str]:
        """A copy of the environment of the process."""
        return dict(os.environ)

    async def run(self, inputs: dict[str, Any]) -> Any:
        """Run the operation over ``inputs``, by parameter name."""
        raise NotImplementedError(f"{type(self).__name__} has to define run(self, inputs)")

    @contextlib.asynccontextmanager
    async def subflow(
        self,
        dataflow: DataFlow,
        *,
        reuse: Any = None,
        overlay: Any = None,
        overlay_application_orchestrator: Any = None,
    ) -> AsyncIterator[Any]:
        """Give the orchestrator context of another data flow, which runs in this process as long as it is used.

        The operation `run_dataflow` does the same, holds no place meanwhile, and works over a store. ``reuse`` and
        ``overlay`` can only be None.
        """
        if reuse is not None or overlay is not None or overlay_application_orchestrator is not None:
            said = "a data flow within an operation takes no reuse and no overlay; give it what it needs as inputs"
            raise TidemillError(said, reason="NotSupported")
        async with self.octx.parent as orchestrator, orchestrator(dataflow) as octx:
            yield octx

    def note(self, remark: str) -> None:
        """Put a remark into the record of the run."""
        if self.octx is not None:
            self.octx.notes.append(remark)


class OperationImplementation(_Stacked):
    """The code behind one operation instance. ``op`` is the operation, ``CONTEXT`` the class of its calls and
    ``CONFIG`` that of its configuration (None: anything)."""

    op: ClassVar[Operation]
    CONTEXT: ClassVar[type[OperationImplementationContext]]
    CONFIG: ClassVar[type | None] = None
    ESTIMATE: ClassVar[tuple[Callable[..., Any], frozenset[str] | None] | None] = None
    """What estimates a call, and the names of the inputs that it is given (None: all)."""
    finder: ClassVar[Callable[[str | None], Any] | None] = None
    """What `load` asks; `runtime.find`, which is built on this module, puts itself here."""

    @classmethod
    def load(cls, loading: str | None = None) -> Any:
        """Return the implementation that a package announces as ``loading``, or that is at ``module:attribute``, or the
        list of all that are announced.

        Raises `FailedToLoadOperationImplementation`.
        """
        finder = OperationImplementation.finder
        if finder is None:
            raise FailedToLoadOperationImplementation("nothing looks for code yet; import tidemill.runtime.find first")
        return finder(loading)

    def __init__(self, config: Any = None) -> None:
        self.config = as_config(type(self).CONFIG, config)
        self.logger = logging.getLogger(f"tidemill.operation.{type(self).op.name}")

    def __call__(self, ctx: Any, octx: Any) -> OperationImplementationContext:
        """Return the context of one call."""
        return type(self).CONTEXT(self, ctx, octx)

    @classmethod
    def withconfig(cls, config: Any) -> OperationImplementation:
        """Return an implementation with this configuration; fields that are nested are taken out (`plain_fields`)."""
        return cls(plain_fields(config) or None if isinstance(config, Mapping) else config)


def isopimp(item: Any) -> bool:
    """Say whether ``item`` is an implementation class."""
    return inspect.isclass(item) and issubclass(item, OperationImplementation) and item is not OperationImplementation


def isoperation(item: Any) -> bool:
    """Say whether ``item`` is an operation."""
    return isinstance(item, Operation)


def isopwraped(item: Any) -> bool:
    """Say whether ``item`` was decorated with `op`."""
    return isoperation(getattr(item, "op", None)) and isopimp(getattr(item, "imp", None))


def opimp_name(item: Any) -> str:
    """Return the name of the operation of an implementation class. Raises `NotOpImp` for anything else."""
    if not isopimp(item):
        raise NotOpImp(f"{shown(item)} is no operation implementation", reason="NotOpImp")
    return str(item.op.name)


def _members(place: Any) -> list[Any]:
    if isinstance(place, Mapping):
        place = SimpleNamespace(**place)
    return [member for _, member in inspect.getmembers(place)]


def opwraped_in(place: Any) -> list[Any]:
    """Return what was decorated with `op` among the members of a module, class or mapping."""
    return [member for member in _members(place) if isopwraped(member)]


def opimp_in(place: Any) -> list[type[OperationImplementation]]:
    """Return the implementations among the members of a module, class or mapping (such as
    ``sys.modules[__name__]``)."""
    own = [member for member in _members(place) if isopimp(member)]
    return own + [member.imp for member in opwraped_in(place)]


def operation_in(place: Any) -> list[Operation]:
    """Return the operations among the members of a module, class or mapping."""
    own = [member for member in _members(place) if isoperation(member)]
    return own + [member.op for member in opwraped_in(place)]
