"""Operations that prepare values for others."""

from __future__ import annotations

import ast
from typing import Any

from tidemill.model.definition import Definition
from tidemill.runtime.decorator import op

__all__ = ["EvaluatedStr", "InputStr", "literal_eval"]

InputStr = Definition(name="InputStr", primitive="str")
EvaluatedStr = Definition(name="EvaluatedStr", primitive="generic")


@op(name="literal_eval", inputs={"str_to_eval": InputStr}, outputs={"str_after_eval": EvaluatedStr})
async def literal_eval(str_to_eval: str) -> dict[str, Any]:
    """Return the value of a Python literal: a number, string, list, tuple, mapping, set, True, False or None.

    Nothing is run. Raises ValueError or SyntaxError for what is no literal.
    """
    return {"str_after_eval": ast.literal_eval(str_to_eval)}
