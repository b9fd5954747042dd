"""Makes what is generated of the chart: its README, the commands of its access lists, and manifests/install.yaml.

Run as a program it writes them; with ``--check`` it says which are not as their sources have them. Where helm cannot be
had, the manifests are left out, and that is said. Neighbours: `programs` (finds helm), `tidemill_operator.kinds` (makes
the definitions of the kinds).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tidemill.backends.redis.access import commands
from tools.programs import Missing, program

__all__ = ["Value", "documented", "generated", "install_manifest", "readme", "render"]

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "tidemill"
NAMESPACE = "tidemill"
KUBERNETES = "1.34.0"
"""The version of Kubernetes that is rendered for where there is no cluster to ask."""

HEAD = """# {name}

*Made by `make generate` out of values.yaml; edit that, and not this page.*

{description}.

```
helm install tidemill charts/tidemill --namespace tidemill --create-namespace
```

The page about [running it](../../docs/running.md) has the rest: images, upgrades, other stores, what to do when. It
needs Kubernetes {kubernetes}.
A value that is not in this table, or not of its type, is refused with its name before anything is installed.

| value | what it is | default |
|---|---|---|
"""

INSTALL = """\
# Made by `make generate` out of charts/tidemill; edit that, and not this file.
#
# The chart with its defaults, in the namespace "{namespace}". It needs the kinds and a password for the store:
#
#   kubectl apply --server-side -f manifests/crds.yaml
#   kubectl create namespace {namespace}
#   password=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')
#   kubectl -n {namespace} create secret generic tidemill-store --from-literal=password="$password" \\
#     --from-literal=url="redis://:$password@tidemill-store.{namespace}.svc:6379/0"
#   kubectl apply --server-side -f manifests/install.yaml
---
apiVersion: v1
kind: Namespace
metadata:
  name: {namespace}
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


@dataclass(frozen=True)
class Value:
    """One value of the chart: its path, what is said of it, and its default."""

    path: str
    about: str
    default: Any


def documented(text: str) -> Iterator[Value]:
    """Yield each value that has a ``# --`` above it. Raises `ValueError` for a default without one."""
    defaults = yaml.safe_load(text)
    about: list[str] = []
    path: list[tuple[int, str]] = []
    covered: set[str] = set()
    for line in text.splitlines():
        comment = re.match(r"^ *# ?(-- )?(.*)$", line)
        if comment:
            about = [comment[2]] if comment[1] else [*about, comment[2]]
            continue
        key = re.match(r"^( *)([A-Za-z][A-Za-z0-9]*):", line)
        if key:
            path = [*(step for step in path if step[0] < len(key[1])), (len(key[1]), key[2])]
            names = [name for _, name in path]
            if about:
                covered.add(".".join(names))
                yield Value(".".join(names), " ".join(about), _at(defaults, names))
        about = []
    for leaf in _leaves(defaults):
        if not any(leaf == one or leaf.startswith(f"{one}.") for one in covered):
            raise ValueError(f"values.yaml says nothing about {leaf}: put a line `# -- …` above it")


def _at(values: Any, names: list[str]) -> Any:
    for name in names:
        values = values[name]
    return values


def _leaves(values: Any, path: str = "") -> Iterator[str]:
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from _leaves(value, f"{path}.{name}" if path else str(name))
    else:
        yield path


def readme() -> str:
    """Return the page about the chart and its values."""
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    rows = []
    for value in documented((CHART / "values.yaml").read_text(encoding="utf-8")):
        said = value.about.replace("|", "\\|")
        rows.append(f"| `{value.path}` | {said} | `{json.dumps(value.default)}` |\n")
    least = str(about["kubeVersion"]).strip(">=").removesuffix("-0") + " or newer"
    head = HEAD.format(name=about["name"], description=about["description"].replace(" - ", ": "), kubernetes=least)
    return head + "".join(rows)


def access() -> str:
    """Return the commands that users of the store may call, as its access lists spell them."""
    return "".join(f"+{name.lower().replace(' ', '|')}\n" for name in commands())


def render(*arguments: str, namespace: str = NAMESPACE, release: str = "tidemill") -> str:
    """Return what the chart renders to. Raises `Missing` without helm, `ValueError` with what helm says against it."""
    done = subprocess.run(
        [program("helm"), "template", release, str(CHART), "-n", namespace, "--kube-version", KUBERNETES, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return done.stdout


def install_manifest() -> str:
    """Return the chart with its defaults as one file, but for the kinds; its passwords come from a Secret."""
    text = render("--skip-tests", "--set", "store.bundled.existingSecret=tidemill-store", "--set", "crds.enabled=false")
    text = re.sub(r"^# Source: .*\n", "", text, flags=re.MULTILINE)
    return INSTALL.format(namespace=NAMESPACE) + re.sub(r"^(---\n)+(?=---\n|\Z)", "", text, flags=re.MULTILINE)


def generated() -> dict[str, str]:
    """Return what is generated, by the paths of its files. Without helm: what needs none, and a line that says so."""
    made = {"charts/tidemill/README.md": readme(), "charts/tidemill/files/commands.txt": access()}
    try:
        made["manifests/install.yaml"] = install_manifest()
    except Missing as error:
        print(f"manifests/install.yaml is left out: {error}", file=sys.stderr)
    return made


def main() -> int:
    """Write what is generated, or say what is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is not up to date")
    chosen = parser.parse_args()
    stale = []
    if not chosen.check:  # the manifests are rendered with it
        (CHART / "files" / "commands.txt").write_text(access(), encoding="utf-8")
    for name, text in generated().items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if chosen.check:
            stale.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name} is not what its sources say: run `make generate`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
