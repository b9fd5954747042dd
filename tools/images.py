"""Builds the images of the operator and the workers with what there is: docker, podman, buildah, a cluster beside us.

The same sources give the same layers: what is installed is named with its hash by uv.lock, and all dates are that of
the commit.
Neighbours: `programs` (finds things), `playground` (loads the images into a cluster), the two Dockerfiles.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.programs import Missing, cluster_beside

__all__ = ["IMAGES", "Builder", "build", "builder", "sources", "version"]

ROOT = Path(__file__).resolve().parent.parent
IMAGES = {"tidemill-operator": "operator/Dockerfile", "tidemill-worker": "worker/Dockerfile"}
"""The images by name, and what they are built from."""


@dataclass(frozen=True)
class Builder:
    """What builds images: the words before the tag, and those that follow it. ``prefix`` makes a name a whole one."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    prefix: str = ""
    dated: bool = False

    def command(
        self, name: str, dockerfile: str, context: str, arguments: dict[str, str], epoch: int, tag: str = ""
    ) -> list[str]:
        """Return the command that builds one image, with the version as its tag if no other is said."""
        said = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        dates = ["--timestamp", str(epoch)] if self.dated else []
        tag = f"{self.prefix}{name}:{tag or version()}"
        if self.name == "cluster":
            return [*self.before, tag, context, "-f", dockerfile, *said, *dates]
        return [*self.before, "-t", tag, "-f", dockerfile, *said, *dates, *self.after, context]


def version() -> str:
    """Return the version of the project, which is the tag of its images."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def sources() -> str:
    """Return a digest of what images are built from: those of one version and other sources are other images."""
    found = hashlib.sha256()
    files = [ROOT / name for name in ("pyproject.toml", "uv.lock", *IMAGES.values())]
    for folder in ("core", "worker", "operator"):
        files += (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in sorted(set(files)):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def builder(wanted: str = "") -> Builder:
    """Return what builds images here, or the one that is wanted. Raises `Missing` where nothing does."""
    known = {
        "docker": Builder("docker", ("docker", "build")),
        "podman": Builder("podman", ("podman", "build"), dated=True),
        "cluster": Builder(
            "cluster", (cluster_beside() or "", "image", "build"), prefix="docker.io/library/", dated=True
        ),
        "buildah": Builder("buildah", ("buildah", "bud", "--layers"), dated=True),
    }
    if wanted:
        if wanted not in known:
            raise Missing(f"BUILDER={wanted} is not known: choose one of {', '.join(known)}")
        return known[wanted]
    if shutil.which("docker") and _answers("docker", "info"):
        return known["docker"]
    if shutil.which("podman"):
        return known["podman"]
    if cluster_beside():
        return known["cluster"]
    if shutil.which("buildah"):
        return known["buildah"]
    raise Missing("nothing here builds images: install docker, podman or buildah")


def _answers(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def build(with_: Builder, names: list[str]) -> None:
    """Build the named images. Raises `Missing` with the end of the log of one that fails."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or 0)
    arguments = {
        "VERSION": version(),
        "REVISION": _git("rev-parse", "HEAD") or "unknown",
        "CREATED": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    for name in names:
        began = time.monotonic()
        command = with_.command(name, IMAGES[name], ".", arguments, epoch)
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            raise Missing(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
        print(f"built {with_.prefix}{name}:{version()} with {with_.name} in {time.monotonic() - began:.0f} s")


def main() -> int:
    """Build all images, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*IMAGES, []], default=[], help="images to build (default: all)")
    parser.add_argument("--builder", default=os.environ.get("BUILDER", ""), help="docker, podman, buildah or cluster")
    chosen = parser.parse_args()
    try:
        build(builder(chosen.builder), chosen.names or list(IMAGES))
    except Missing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
