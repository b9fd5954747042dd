"""The verdict on one package: all reports held against the thresholds, with a reason for whatever is not plain.

A reason has a `level`: `no` (do not install), `care` (look at it first), `unknown` (a check could not be made), `note`
(worth knowing, changes nothing). The verdict is `no` if any reason says so, `maybe` if one says care or unknown, else
`yes`; and `unknown` if there was nothing to judge.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from shouldi import licences, security

NO, CARE, UNKNOWN, NOTE = "no", "care", "unknown", "note"
YES, MAYBE = "yes", "maybe"

Reason = dict[str, str]
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Thresholds:
    """Where a number becomes a reason.

    `grave`: findings of high severity and at least medium confidence, above which it is a no (any at all is care).
    `average` and `worst`: cyclomatic complexity above which it is care. `vulnerabilities`: known ones, above which it
    is a no (any at all is care).
    """

    grave: int = 5
    average: float = 10.0
    worst: float = 100.0
    vulnerabilities: int = 0

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Thresholds":
        """The thresholds with those in `said` changed; raises `ValueError` for an unknown one or no number."""
        known = {field.name for field in fields(cls)}
        for name, value in said.items():
            if name not in known:
                raise ValueError(f"unknown threshold {name!r}: there are {', '.join(sorted(known))}")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value < 0:
                raise ValueError(f"threshold {name!r} is {value!r}, expected a number of 0 or more")
        return cls(**{**asdict(cls()), **said})


def reason(level: str, check: str, text: str) -> Reason:
    """One reason, as plain data."""
    return {"level": level, "check": check, "text": text}


def overall(reasons: list[Reason]) -> str:
    """The verdict that follows from the reasons."""
    levels = {said["level"] for said in reasons}
    if NO in levels:
        return NO
    return MAYBE if levels & {CARE, UNKNOWN} else YES


def judge(reports: Mapping[str, Report], thresholds: Thresholds) -> list[Reason]:
    """All reasons out of the reports tree, security, complexity, metadata and vulnerabilities; the gravest first."""
    found = [
        *_of_tree(reports["tree"]),
        *_of_metadata(reports["metadata"]),
        *_of_vulnerabilities(reports["vulnerabilities"], thresholds),
        *_of_security(reports["security"], thresholds),
        *_of_complexity(reports["complexity"], thresholds),
    ]
    order = (NO, CARE, UNKNOWN, NOTE)
    return sorted(found, key=lambda said: order.index(said["level"]))


def _of_tree(tree: Report) -> Iterator[Reason]:
    if tree["why_installed"]:
        yield reason(NOTE, "source", f"the installed distribution was judged: {tree['why_installed']}")
    if not tree["sources"]:
        yield reason(CARE, "source", "there is no Python source in it to judge")
    texts = {
        "native": "compiled files, which no check here can read",
        "pyc": "bytecode files, which may differ from their sources",
        "pth": ".pth files, which run at every start of Python once installed",
        "links": "links, which were not followed",
    }
    for kind, text in texts.items():
        number = tree["unseen"].get(kind, 0)
        if number:
            yield reason(CARE, "source", f"{text}: {number}")


def _of_metadata(said: Report) -> Iterator[Reason]:
    if said["mismatch"]:
        yield reason(NO, "metadata", said["mismatch"])
    if said["fits_python"] is False:
        yield reason(NO, "metadata", f"it wants Python {said['requires_python']}, which this is not")
    if said["inactive"]:
        yield reason(CARE, "metadata", "it says that it is no longer developed")
    if said["licence_kind"] == licences.UNKNOWN:
        yield reason(CARE, "licence", "it does not say clearly which licence it has")
    elif said["licence_kind"] == licences.STRONG:
        yield reason(CARE, "licence", f"{said['licence']} asks the same of what you build with it")
    elif said["licence_kind"] == licences.WEAK:
        yield reason(NOTE, "licence", f"{said['licence']} asks the same of changes to it")


def _of_vulnerabilities(said: Report, thresholds: Thresholds) -> Iterator[Reason]:
    if not said["known"]:
        yield reason(UNKNOWN, "vulnerabilities", f"unknown: {said['why']}")
    if said["yanked"]:
        yield reason(NO, "index", f"this release was withdrawn: {said['yanked']}")
    level = NO if len(said["found"]) > thresholds.vulnerabilities else CARE
    for entry in said["found"]:
        fixed = f", fixed in {', '.join(entry['fixed_in'])}" if entry["fixed_in"] else ", not fixed in any release"
        summary = f": {entry['summary']}" if entry["summary"] else ""
        yield reason(level, "vulnerabilities", f"{'/'.join((entry['id'], *entry['aliases']))}{fixed}{summary}")


def _of_security(said: Report, thresholds: Thresholds) -> Iterator[Reason]:
    grave = security.grave(said)
    if grave:
        level = NO if grave > thresholds.grave else CARE
        first = said["examples"][0]
        text = f"bandit has {grave} grave finding{'s' * (grave > 1)}, the first {first['test']} at {first['where']}"
        yield reason(level, "security", f"{text}: {first['text']}")
    if said["unread"]:
        yield reason(CARE, "security", f"bandit could not read {_listed(said['unread'])}")


def _of_complexity(said: Report, thresholds: Thresholds) -> Iterator[Reason]:
    if said["average"] is not None and said["average"] > thresholds.average:
        yield reason(CARE, "complexity", f"the average complexity is {said['average']:g} (rank {said['rank']})")
    for block in said["worst"][:1]:
        level = CARE if block["complexity"] > thresholds.worst else NOTE
        if level == CARE or block["rank"] in "EF":
            text = f"{block['name']} at {block['where']} has complexity {block['complexity']} (rank {block['rank']})"
            yield reason(level, "complexity", text)
    if said["unread"]:
        yield reason(CARE, "complexity", f"radon could not read {_listed(said['unread'])}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
