"""Operations that read and run alike with DFFML and with Tidemill, but for the line of the import."""

from typing import Any, NamedTuple

from tidemill import Definition, Stage, op

URL = Definition(name="URL", primitive="string")
VALID = Definition(name="valid_url", primitive="boolean")


class Repo(NamedTuple):
    url: str
    directory: str = "/tmp"


REPO = Definition(name="repo", primitive="map", spec=Repo, lock=True)
SIZE = Definition(name="size", primitive="int")
LIMIT = Definition(name="limit", primitive="int", default=10)


@op(inputs={"url": URL}, outputs={"valid": VALID})
async def check(url: str) -> Any:
    if url == "http://broken":
        raise ValueError("broken as asked for")
    return {"valid": url.startswith("http")}


@op(inputs={"url": URL}, outputs={"repo": REPO}, conditions=[VALID], retry=2)
async def clone(url: str) -> Any:
    return {"repo": {"url": url, "directory": "/tmp"}}


@op(inputs={"repo": REPO, "limit": LIMIT}, outputs={"size": SIZE}, expand=["size"])
async def sizes(repo: Any, limit: int) -> Any:
    return {"size": [1, 2, limit]}


@op(inputs={"repo": REPO}, outputs={}, stage=Stage.CLEANUP)
async def rm(repo: Any) -> None:
    return None
