"""The operations of the data flow: each gives one of the plain modules its inputs and outputs.

An operation that comes to an expected end (no such project, an archive that is refused) says so with a value of
`DEAD_END`, which `give_up` turns into a verdict. It raises only for what another try may cure, or for a fault.
"""

import tempfile
from pathlib import Path
from typing import Any

from shouldi import (
    archives,
    complexity,
    download,
    index,
    installed,
    metadata,
    names,
    security,
    verdict,
    vulnerabilities,
)
from shouldi.workspace import discard_workspace, make_workspace
from tidemill import Definition, Stage, op

PACKAGE = Definition("package", "string")
OFFLINE = Definition("offline", "boolean", default=False)
THRESHOLDS = Definition("thresholds", "map", default={})
WORKSPACE = Definition("workspace", "string")
WANTED = Definition("wanted", "map")  # name, version: a project on the index
LOCAL = Definition("local", "map")  # name, version, why: a distribution that is installed here
ON_INDEX = Definition("on_index", "boolean")
NO_WHEEL = Definition("no_wheel", "string")
ARCHIVE = Definition("archive", "map")  # path, source
TREE = Definition("tree", "map")
SECURITY = Definition("security", "map")
COMPLEXITY = Definition("complexity", "map")
METADATA = Definition("metadata", "map")
VULNERABILITIES = Definition("vulnerabilities", "map")
DEAD_END = Definition("dead_end", "map")  # level, check, text: a reason
VERDICT = Definition("verdict", "map")
REASON = Definition("reason", "map")

Outputs = dict[str, Any]


def _dead_end(level: str, check: str, why: object) -> Outputs:
    return {"dead_end": verdict.reason(level, check, str(why))}


@op(inputs={"package": PACKAGE}, outputs={"workspace": WORKSPACE})
def open_workspace(package: str) -> Outputs:
    """Make the folder in which this package is judged."""
    return {"workspace": make_workspace()}


@op(inputs={"workspace": WORKSPACE}, outputs={}, stage=Stage.CLEANUP)
def remove_workspace(workspace: str) -> None:
    """Remove the folder, however the context ended."""
    discard_workspace(workspace)


@op(
    inputs={"package": PACKAGE, "offline": OFFLINE},
    outputs={"wanted": WANTED, "archive": ARCHIVE, "local": LOCAL, "dead_end": DEAD_END},
)
def sort_request(package: str, offline: bool) -> Outputs:
    """Say what the request is: a project on the index, an archive, or an installed distribution."""
    try:
        wanted = names.sort_out(package)
    except names.BadRequest as error:
        return _dead_end(verdict.UNKNOWN, "request", error)
    if wanted.archive is not None:
        return {"archive": {"path": wanted.archive, "source": "file"}}
    project = {"name": wanted.name, "version": wanted.version}
    if wanted.installed_only:
        return {"local": {**project, "why": "that was asked for"}}
    if offline:
        return {"local": {**project, "why": "no network was to be used"}}
    return {"wanted": project}


@op(inputs={"wanted": WANTED}, outputs={"on_index": ON_INDEX, "local": LOCAL}, timeout=90)
def ask_index(wanted: dict[str, Any]) -> Outputs:
    """Ask whether the index has the project; if not, or if it cannot be asked, the installed one has to do."""
    try:
        index.project_page(index.find_index(), wanted["name"])
    except index.NotOnIndex:
        return {"local": {**wanted, "why": f"the index has no project called {wanted['name']}"}}
    except index.IndexUnavailable as error:
        return {"local": {**wanted, "why": str(error)}}
    return {"on_index": True}


@op(
    inputs={"wanted": WANTED, "workspace": WORKSPACE},
    outputs={"archive": ARCHIVE, "no_wheel": NO_WHEEL},
    conditions=[ON_INDEX],
    retry=3,
    backoff=0.5,
    concurrency=4,
    timeout=180,
)
async def download_wheel(wanted: dict[str, Any], workspace: str) -> Outputs:
    """Fetch the wheel with pip, in a folder of this try's own; raises when the network failed."""
    into = Path(tempfile.mkdtemp(dir=f"{workspace}/files"))
    try:
        path = await download.download_wheel(wanted["name"], wanted["version"], into)
    except download.NoWheel as error:
        return {"no_wheel": str(error)}
    return {"archive": {"path": str(path), "source": "index"}}


@op(
    inputs={"wanted": WANTED, "no_wheel": NO_WHEEL, "workspace": WORKSPACE},
    outputs={"archive": ARCHIVE, "dead_end": DEAD_END},
    retry=3,
    backoff=0.5,
    timeout=180,
)
def download_sdist(wanted: dict[str, Any], no_wheel: str, workspace: str) -> Outputs:
    """Fetch the sdist where there is no wheel, without building anything; raises when the network failed."""
    into = Path(tempfile.mkdtemp(dir=f"{workspace}/files"))
    try:
        path = download.download_sdist(index.find_index(), wanted["name"], wanted["version"], into)
    except download.NoSdist as error:
        return _dead_end(verdict.UNKNOWN, "index", error)
    return {"archive": {"path": str(path), "source": "index"}}


@op(
    inputs={"archive": ARCHIVE, "workspace": WORKSPACE},
    outputs={"tree": TREE, "dead_end": DEAD_END},
    executor="process",
    timeout=120,
)
def unpack(archive: dict[str, Any], workspace: str) -> Outputs:
    """Unpack the archive, in a process that can be killed; a no is the verdict on one that breaks a rule."""
    path = Path(archive["path"])
    try:
        found = archives.unpack(path, Path(workspace, "tree"))
    except archives.ArchiveRefused as error:
        return _dead_end(verdict.NO, "archive", f"the archive was refused: {error}")
    except OSError as error:
        return _dead_end(verdict.UNKNOWN, "archive", f"the archive cannot be read: {error}")
    form = "wheel" if path.name.endswith(".whl") else "sdist"
    return {"tree": _tree(workspace, found, f"{archive['source']}: {form}", path, None)}


@op(inputs={"local": LOCAL, "workspace": WORKSPACE}, outputs={"tree": TREE, "dead_end": DEAD_END}, timeout=300)
def copy_installed(local: dict[str, Any], workspace: str) -> Outputs:
    """Copy the installed distribution, and keep in mind why it is the installed one."""
    try:
        found = installed.copy_installed(local["name"], local["version"], Path(workspace, "tree"))
    except installed.NotInstalled as error:
        return _dead_end(verdict.UNKNOWN, "source", f"{error}, and {local['why']}")
    except archives.ArchiveRefused as error:
        return _dead_end(verdict.UNKNOWN, "source", f"the installed {local['name']} cannot be judged: {error}")
    return {"tree": _tree(workspace, found, "installed", None, local["why"])}


def _tree(workspace: str, found: archives.Unpacked, source: str, archive: Path | None, why: str | None) -> Outputs:
    return {
        "workspace": workspace,
        "files": found.files,
        "sources": sum(1 for file in found.files if file.endswith((".py", ".pyw"))),
        "unseen": dict(found.unseen),
        "source": source,
        "archive": None if archive is None else archive.name,
        "sha256": None if archive is None else download.sha256_of(archive),
        "why_installed": why,
    }


def _root(tree: dict[str, Any]) -> Path:
    return Path(tree["workspace"], "tree")


@op(inputs={"tree": TREE}, outputs={"security": SECURITY}, concurrency=4, timeout=240)
async def scan_security(tree: dict[str, Any]) -> Outputs:
    """Let bandit look for security problems, as a child process."""
    return {"security": await security.scan(_root(tree), Path(tree["workspace"], "empty"))}


@op(inputs={"tree": TREE}, outputs={"complexity": COMPLEXITY}, executor="process", timeout=240)
def measure_complexity(tree: dict[str, Any]) -> Outputs:
    """Let radon measure the complexity, in a process of the pool: it is pure computing."""
    return {"complexity": complexity.measure(_root(tree))}


@op(inputs={"tree": TREE}, outputs={"metadata": METADATA, "dead_end": DEAD_END})
def read_metadata(tree: dict[str, Any]) -> Outputs:
    """Read what the package says about itself."""
    try:
        return {"metadata": metadata.read(_root(tree), tree["files"], tree["archive"])}
    except metadata.NoMetadata as error:
        return _dead_end(verdict.NO, "metadata", error)


@op(
    inputs={"metadata": METADATA, "offline": OFFLINE},
    outputs={"vulnerabilities": VULNERABILITIES},
    concurrency=8,
    timeout=120,
)
def look_up_vulnerabilities(metadata: dict[str, Any], offline: bool) -> Outputs:
    """Ask the index for the known vulnerabilities of this release; no answer is said to be none."""
    if offline:
        return {"vulnerabilities": vulnerabilities.unknown("no network was to be used")}
    return {"vulnerabilities": vulnerabilities.look_up(metadata["name"], metadata["version"])}


@op(
    inputs={
        "package": PACKAGE,
        "tree": TREE,
        "security": SECURITY,
        "complexity": COMPLEXITY,
        "metadata": METADATA,
        "vulnerabilities": VULNERABILITIES,
        "thresholds": THRESHOLDS,
    },
    outputs={"verdict": VERDICT, "reasons": REASON},
    expand=["reasons"],
)
def conclude(package: str, thresholds: dict[str, Any], **reports: dict[str, Any]) -> Outputs:
    """Hold all reports against the thresholds; the reasons become one input each."""
    reasons = verdict.judge(reports, verdict.Thresholds.of(thresholds))
    tree, said = reports["tree"], reports["metadata"]
    concluded = {
        "package": package,
        "verdict": verdict.overall(reasons),
        "name": said["name"],
        "version": said["version"],
        "source": tree["source"],
        "sha256": tree["sha256"],
        "metadata": said,
        "security": reports["security"],
        "complexity": reports["complexity"],
        "vulnerabilities": reports["vulnerabilities"],
    }
    return {"verdict": concluded, "reasons": reasons}


@op(
    inputs={"package": PACKAGE, "dead_end": DEAD_END},
    outputs={"verdict": VERDICT, "reasons": REASON},
    expand=["reasons"],
)
def give_up(package: str, dead_end: dict[str, str]) -> Outputs:
    """The verdict where the checks could not be made: no for a package that breaks rules, else unknown."""
    return {"verdict": {"package": package, "verdict": dead_end["level"]}, "reasons": [dead_end]}
