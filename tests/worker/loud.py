"""An operation that prints what nobody wants in a log."""

import os
import sys

from tidemill import DataFlow, Definition, GetMulti, Input, op

__all__ = ["FLOW", "JSON", "KIB", "given"]

JSON = '{"level": "ERROR", "message": "a line that nobody has logged"}'
KIB, SHOUTED = Definition("kib", "int"), Definition("shouted", "int")


@op(inputs={"kib": KIB}, outputs={"shouted": SHOUTED}, executor="thread")
def shout(kib: int) -> dict[str, int]:
    """Print lines, bytes that are no text, and so many KiB."""
    sys.stdout.write("\x1b[2J\x1b[31mred\a\n")
    sys.stdout.write(f"{JSON}\n")
    sys.stderr.write("told\n")
    os.write(1, b"\xff\x00\n")
    for _ in range(kib):
        os.write(1, b"x" * 1023 + b"\n")
    return {"shouted": kib}


FLOW = DataFlow(shout, GetMulti, seed=[Input(["shouted"], Definition("get_multi_spec", "array"))])


def given(kib: int) -> list[Input]:
    """Return what has that much printed."""
    return [Input(kib, KIB)]
