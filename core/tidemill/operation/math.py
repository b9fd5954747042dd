"""Operations over numbers."""

from __future__ import annotations

from typing import Any

from tidemill.model.definition import Definition
from tidemill.runtime.decorator import op

__all__ = ["multiplicand_def", "multiplier_def", "multiply", "product_def"]

multiplicand_def = Definition(name="multiplicand_def", primitive="generic")
multiplier_def = Definition(name="multiplier_def", primitive="generic")
product_def = Definition(name="product", primitive="generic")


@op(
    name="multiply",
    inputs={"multiplicand": multiplicand_def, "multiplier": multiplier_def},
    outputs={"product": product_def},
)
async def multiply(multiplicand: Any, multiplier: Any) -> dict[str, Any]:
    """Return the product; of a list or tuple, each of its elements multiplied."""
    if isinstance(multiplicand, (list, tuple)):
        return {"product": type(multiplicand)(element * multiplier for element in multiplicand)}
    return {"product": multiplicand * multiplier}
