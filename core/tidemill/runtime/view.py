"""What an operation sees of the run around it: the input network of its own context, and a place for remarks.

Output operations read the network in canonical order, as it was when the output stage began. The view lasts as long
as the call: what comes later would be seen by chance. Neighbour: `networks.inputs`, which promises the order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

from tidemill.engine.inputs import Item
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import ContextClosed, ContextError, DefinitionNotInContext, did_you_mean, pointer
from tidemill.model.definition import Definition
from tidemill.networks.inputs import InputNetwork

__all__ = ["CallContext", "DefinitionSet", "InputNetworkView"]


class DefinitionSet:
    """The inputs of one context, by definition. An async context manager, for symmetry with what opens connections."""

    def __init__(self, view: InputNetworkView) -> None:
        self._view = view

    async def __aenter__(self) -> DefinitionSet:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def inputs(self, definition: Definition | str) -> AsyncIterator[Item]:
        """Yield the inputs of a definition, in canonical order."""
        for item in await self._view.inputs(definition):
            yield item


class InputNetworkView:
    """The input network as one call may read it: its own context, whatever context it names, until the call ends.

    Every method raises `ContextClosed` (LeaseLost) after that.
    """

    def __init__(self, network: InputNetwork, parameter_set: ParameterSet) -> None:
        self._network = network
        self._context: Any = parameter_set.context
        self._instance = parameter_set.operation.instance

    def end(self) -> None:
        """Read nothing any more: the call has ended. The context is let go of, however long the view is kept."""
        self._context = None

    async def inputs(self, definition: Definition | str | None = None) -> list[Item]:
        """Return the inputs of a definition, or all, in canonical order."""
        if self._context is None:
            said = (
                f'the call of "{self._instance}" has ended, and with it its view of the inputs; read them before it '
                "returns, and await what it has started"
            )
            raise ContextClosed(said, reason="LeaseLost", path=pointer("operations", self._instance))
        name = definition.name if isinstance(definition, Definition) else definition
        return await self._network.inputs(self._context, name)

    async def definition(self, ctx: Any, name: str) -> Definition:
        """Return the definition called ``name``. Raises `DefinitionNotInContext` if no input of the context has it."""
        found = await self.inputs(name)
        if not found or found[0].definition is None:
            known = {item.definition.name for item in await self.inputs() if item.definition is not None}
            raise DefinitionNotInContext(f'no input of the context is a "{name}" {did_you_mean(name, known)}')
        return found[0].definition

    def definitions(self, ctx: Any = None) -> DefinitionSet:
        """Return the inputs of the context, by definition."""
        return DefinitionSet(self)


class CallContext:
    """The orchestrator context as a call sees it: ``ictx`` reads the input network, ``notes`` are kept with the run."""

    orchestrate: ClassVar[Callable[[], Any] | None] = None
    """Makes the `parent`: the runtime knows no orchestrator, so the one in memory puts itself here."""

    @property
    def parent(self) -> Any:
        """An orchestrator of this process, for a data flow that a call runs by itself: ``self.octx.parent(dataflow)``.

        Such a run is nobody's child: it holds the place of its call, and no other process helps with it. What is to
        be distributed is run by `run_dataflow`.
        """
        if CallContext.orchestrate is None:
            said = "this process only works; use the operation run_dataflow, or import tidemill.orchestrator.memory"
            raise ContextError(said, reason="NoOrchestrator")
        return CallContext.orchestrate()

    def __init__(self, network: InputNetwork, parameter_set: ParameterSet) -> None:
        self.ictx = InputNetworkView(network, parameter_set)
        self.parameter_set = parameter_set
        self.notes: list[str] = []
