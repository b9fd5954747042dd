"""What the images have in them, as CycloneDX: `make sbom` writes build/sbom/<image>.cdx.json out of uv.lock.

The same lock gives the same bytes: the time is that of the sources (SOURCE_DATE_EPOCH) and the serial number a digest
of the rest. Neighbour: `images`, which builds them; each Dockerfile says which extras go into it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.images import IMAGES, version
from tools.programs import Missing

__all__ = ["bill", "extras_of", "main"]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "sbom"
EPOCH = 315619200
"""Seconds since 1970 of files in the images, unless SOURCE_DATE_EPOCH says another time."""


def extras_of(dockerfile: str) -> list[str]:
    """Return the extras that a Dockerfile installs. Raises `Missing` where it does not say."""
    found = re.search(r'^ARG EXTRAS="([^"]*)"$', (ROOT / dockerfile).read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise Missing(f"{dockerfile} has no ARG EXTRAS, so what is in its image is not known")
    return found[1].split()


def bill(image: str) -> dict[str, Any]:
    """Return the bill of materials of an image. Raises `Missing`."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise Missing("uv is not installed: make install brings it")
    extras = [word for extra in extras_of(IMAGES[image]) for word in ("--extra", extra)]
    command = [uv, "export", "--quiet", "--frozen", "--offline", "--no-dev", "--format", "cyclonedx1.5", *extras]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command)} failed: {done.stderr.strip()[-1000:]}")
    made: dict[str, Any] = json.loads(done.stdout)
    at = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or EPOCH), UTC)
    made["metadata"] |= {"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    made["metadata"]["component"] |= {"type": "container", "name": image, "version": version()}
    del made["serialNumber"]
    said = json.dumps(made, sort_keys=True)
    return {**made, "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, said).urn}


def main() -> int:
    """Write the bills, and return an exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*IMAGES, []], default=[], help="images (default: all)")
    try:
        for name in parser.parse_args().names or IMAGES:
            made = bill(name)
            FOLDER.mkdir(parents=True, exist_ok=True)
            (FOLDER / f"{name}.cdx.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
            print(f"build/sbom/{name}.cdx.json: {len(made['components'])} packages")
    except Missing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
