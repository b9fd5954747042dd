"""Operations in an image of their own: what a pool names, and a data flow calls `words:measure`."""

from tidemill import Definition, op

WORD, LENGTH = Definition("word", "string"), Definition("length", "int")


@op(inputs={"word": WORD}, outputs={"length": LENGTH})
def measure(word: str) -> dict[str, int]:
    """The length of a word."""
    return {"length": len(word)}
