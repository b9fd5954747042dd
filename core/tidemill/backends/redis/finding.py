"""What was found of a store: one thing that was looked at. Neighbours: `checks`, `access` (who look)."""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.errors import FunctionLibraryMissing, StoreError, StoreMisconfigured, StoreReadOnly

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is (ok, warn, fail) and, unless it is ok, a ``reason`` in one CamelCase word, what was
    ``found``, what was ``expected``, and what to ``do``."""

    name: str
    status: str
    found: str
    reason: str = ""
    expected: str = ""
    do: str = ""

    def error(self, where: str) -> StoreError:
        """Return the finding as the error that refuses the store at ``where``."""
        said = f"the store at {where}: {self.name} is {self.found}, and has to be {self.expected}; {self.do}"
        kinds = {"StoreReadOnly": StoreReadOnly, "FunctionLibraryMissing": FunctionLibraryMissing}
        return kinds.get(self.reason, StoreMisconfigured)(said, reason=self.reason)
