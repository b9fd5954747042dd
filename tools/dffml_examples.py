"""Runs the examples of DFFML's own documentation on Tidemill, with nothing changed but the import.

``python tools/dffml_examples.py CHECKOUT`` takes a checkout of DFFML and prints one line for each example that concerns
data flows: what it is, and passed or failed. ``--json`` prints them as data, ``--only WORD`` runs those whose name has
that word, ``--with dffml`` runs the originals as they are, where that package is importable. DFFML itself is neither
needed nor installed: in a copy of each example ``dffml`` is ``tidemill`` where it is imported, and that is all.
`tools/dffml_sources.py` says which examples there are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import dffml_sources
from tools.dffml_sources import Example, examples

TYPED = "Data flow is awesome\n"
"""What DFFML's tests answer to an example that asks for a line."""

DOCTEST = """
import doctest, sys
source = open(sys.argv[1], encoding="utf-8").read()
found = doctest.DocTestParser().get_doctest(source, {{"__name__": "__main__"}}, sys.argv[2], None, 0)
report = []
runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
runner.run(found, out=report.append, clear_globs=False)
if runner.failures:
    sys.stderr.write("".join(report))
    sys.exit(1)
"""


@dataclass(frozen=True)
class Verdict:
    """What became of an example: ``passed``, and the last lines of what was said where it failed."""

    name: str
    kind: str
    passed: bool
    said: str = ""


def run(example: Example, root: Path) -> list[Verdict]:
    """Run one example in a folder of its own; a file of tests gives a verdict for each."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for path, text in example.files.items():
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if example.kind == "tests":
            return _tests(example, place)
        main = place / example.main
        if example.kind == "doctest":
            words = [sys.executable, "-c", DOCTEST.format(), str(main), example.name]
        else:
            words = [sys.executable, str(main)]
        done = _done(words, place)
        said = "" if done.returncode == 0 else (done.stderr or done.stdout)
        wrong = [] if done.returncode else [line for line in example.printed if line not in done.stdout]
        if wrong:
            said = f"did not print {wrong[0]!r}, but: {done.stdout}"
        return [Verdict(example.name, example.kind, not said, _last(said))]


def _done(words: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONWARNINGS": "ignore"}
    try:
        return subprocess.run(
            words, cwd=place, env=environment, input=TYPED, capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", "it did not end within a minute")


def _tests(example: Example, place: Path) -> list[Verdict]:
    """Run a file of tests by unittest and return what became of each."""
    program = (
        "import json, sys, unittest\n"
        "class Result(unittest.TextTestResult):\n"
        "    def __init__(self, *args, **kwargs):\n"
        "        super().__init__(*args, **kwargs); self.ended = []\n"
        "    def startTest(self, test): super().startTest(test); self.ended.append(test)\n"
        "suite = unittest.defaultTestLoader.loadTestsFromName(sys.argv[1])\n"
        "result = unittest.TextTestRunner(stream=sys.stderr, resultclass=Result).run(suite)\n"
        "bad = {getattr(t, 'test_case', t).id(): text for t, text in result.errors + result.failures}\n"
        "skipped = {t.id(): why for t, why in result.skipped}\n"
        "names = [t.id() for t in result.ended] + [n for n in bad if n not in {t.id() for t in result.ended}]\n"
        "sys.stdout.write('\\n@@' + json.dumps([[n, bad.get(n, ''), skipped.get(n, '')] for n in names]))\n"
    )
    module = example.main.removesuffix(".py").replace("/", ".")
    done = _done([sys.executable, "-c", program, module], place)
    _, mark, ended = done.stdout.rpartition("@@")
    if not mark:
        return [Verdict(example.name, "tests", False, _last(done.stderr))]
    return [
        Verdict(f"{name}{f' (skipped: {why})' if why else ''}", "test", not text, _last(text))
        for name, text, why in json.loads(ended)
    ]


def _last(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return "\n".join(lines[-12:])


def main() -> int:
    """Run what the arguments say and return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--with", dest="package", default="tidemill", choices=["tidemill", "dffml"])
    parser.add_argument("--verbose", action="store_true", help="say why an example failed")
    said = parser.parse_args()
    dffml_sources.PACKAGE = said.package
    verdicts = []
    for example in examples(said.checkout):
        if said.only in example.name:
            for verdict in run(example, said.checkout):
                verdicts.append(verdict)
                if not said.json:
                    print(f"{'passed' if verdict.passed else 'FAILED'}  {verdict.kind:8} {verdict.name}", flush=True)
                    if said.verbose and not verdict.passed:
                        print("    " + verdict.said.replace("\n", "\n    "), flush=True)
    if said.json:
        print(json.dumps([asdict(verdict) for verdict in verdicts], indent=1))
    else:
        for kind, count in Counter((verdict.kind, verdict.passed) for verdict in verdicts).items():
            print(f"{kind[0]}: {count} {'passed' if kind[1] else 'failed'}")
    return sum(not verdict.passed for verdict in verdicts)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
