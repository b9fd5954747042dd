"""Each report becomes the reasons that it should, and the reasons become the verdict."""

from collections import Counter
from typing import Any

import pytest
from shouldi import table, verdict
from shouldi.verdict import CARE, NO, NOTE, UNKNOWN, Thresholds, judge, overall, reason


def reports() -> dict[str, dict[str, Any]]:
    """Reports in which nothing is wrong."""
    counts = {severity: dict.fromkeys(("HIGH", "MEDIUM", "LOW"), 0) for severity in ("HIGH", "MEDIUM", "LOW")}
    return {
        "tree": {"why_installed": None, "sources": 3, "unseen": {"other": 2}},
        "metadata": {
            "mismatch": None,
            "fits_python": True,
            "requires_python": ">=3.8",
            "inactive": False,
            "licence": "MIT",
            "licence_kind": "permissive",
        },
        "vulnerabilities": {"known": True, "why": None, "found": [], "yanked": None},
        "security": {"counts": counts, "examples": [], "unread": []},
        "complexity": {"average": 2.0, "rank": "A", "worst": [block(10, "B")], "unread": []},
    }


def block(complexity: int, rank: str) -> dict[str, Any]:
    return {"name": "f", "where": "a.py:1", "complexity": complexity, "rank": rank}


def judged(check: str, thresholds: Thresholds | None = None, **changes: Any) -> list[tuple[str, str]]:
    """Level and text of the reasons when one report is changed."""
    every = reports()
    every[check] = {**every[check], **changes}
    return [(said["level"], said["text"]) for said in judge(every, thresholds or Thresholds())]


def test_nothing_wrong_gives_no_reason() -> None:
    assert judge(reports(), Thresholds()) == []


@pytest.mark.parametrize(
    ("levels", "word"),
    [([], "yes"), ([NOTE], "yes"), ([NOTE, CARE], "maybe"), ([UNKNOWN], "maybe"), ([CARE, NO, UNKNOWN], "no")],
)
def test_the_gravest_reason_decides(levels: list[str], word: str) -> None:
    assert overall([reason(level, "x", "y") for level in levels]) == word


@pytest.mark.parametrize(
    ("check", "changes", "level", "text"),
    [
        ("tree", {"why_installed": "no network"}, NOTE, "the installed distribution was judged: no network"),
        ("tree", {"sources": 0}, CARE, "no Python source"),
        ("tree", {"unseen": Counter(native=1)}, CARE, "compiled files, which no check here can read: 1"),
        ("tree", {"unseen": {"pyc": 1}}, CARE, "bytecode"),
        ("tree", {"unseen": {"pth": 1}}, CARE, "every start of Python"),
        ("tree", {"unseen": {"links": 1}}, CARE, "not followed"),
        ("metadata", {"mismatch": "it says b"}, NO, "it says b"),
        ("metadata", {"fits_python": False}, NO, "wants Python >=3.8"),
        ("metadata", {"inactive": True}, CARE, "no longer developed"),
        ("metadata", {"licence_kind": "unknown"}, CARE, "does not say clearly"),
        ("metadata", {"licence": "GPL-3.0-only", "licence_kind": "copyleft"}, CARE, "GPL-3.0-only asks"),
        ("metadata", {"licence": "MPL-2.0", "licence_kind": "weak copyleft"}, NOTE, "MPL-2.0 asks"),
        ("vulnerabilities", {"known": False, "why": "no answer"}, UNKNOWN, "unknown: no answer"),
        ("vulnerabilities", {"yanked": "broken"}, NO, "withdrawn: broken"),
        ("security", {"unread": ["a", "b", "c", "d", "e"]}, CARE, "bandit could not read a, b, c and 2 more"),
        ("complexity", {"average": 10.5, "rank": "C"}, CARE, "average complexity is 10.5 (rank C)"),
        ("complexity", {"worst": [block(101, "F")]}, CARE, "f at a.py:1 has complexity 101 (rank F)"),
        ("complexity", {"worst": [block(31, "E")]}, NOTE, "complexity 31 (rank E)"),
        ("complexity", {"unread": ["a"]}, CARE, "radon could not read a"),
    ],
)
def test_each_finding_has_its_level(check: str, changes: dict[str, Any], level: str, text: str) -> None:
    found = judged(check, **changes)
    assert [said[0] for said in found] == [level]
    assert text in found[0][1]


@pytest.mark.parametrize(("fixed", "text"), [(["1.1", "2.0"], "fixed in 1.1, 2.0"), ([], "not fixed in any release")])
def test_a_vulnerability_is_a_no_above_the_threshold(fixed: list[str], text: str) -> None:
    entry = {"id": "P-1", "aliases": ["CVE-1"], "fixed_in": fixed, "summary": "It leaks."}
    assert judged("vulnerabilities", found=[entry]) == [(NO, f"P-1/CVE-1, {text}: It leaks.")]
    assert judged("vulnerabilities", Thresholds(vulnerabilities=1), found=[entry])[0][0] == CARE


def test_grave_findings_are_care_up_to_the_threshold_and_a_no_above() -> None:
    counts = reports()["security"]["counts"]
    counts["HIGH"].update(HIGH=3, MEDIUM=2, LOW=9)
    examples = [{"test": "B324", "where": "a.py:5", "text": "weak"}]
    text = "bandit has 5 grave findings, the first B324 at a.py:5: weak"
    assert judged("security", counts=counts, examples=examples) == [(CARE, text)]
    assert judged("security", Thresholds(grave=4), counts=counts, examples=examples) == [(NO, text)]


def test_the_gravest_reasons_come_first() -> None:
    every = reports()
    every["tree"].update(why_installed="x", unseen={"pth": 1})
    every["metadata"].update(fits_python=False)
    every["vulnerabilities"].update(known=False, why="x")
    assert [said["level"] for said in judge(every, Thresholds())] == [NO, CARE, UNKNOWN, NOTE]


def test_thresholds_are_changed_one_by_one() -> None:
    assert Thresholds.of({"grave": 0, "average": 3.5}) == Thresholds(grave=0, average=3.5)
    assert Thresholds.of({}) == Thresholds()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"x": 1}, "unknown threshold 'x'"),
        ({"grave": -1}, "0 or more"),
        ({"grave": "1"}, "number"),
        ({"worst": True}, "number"),
    ]
    + [({"worst": float(word)}, "number") for word in ("nan", "inf")],
)
def test_wrong_thresholds_are_refused(said: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Thresholds.of(said)


def test_what_packages_say_cannot_steer_the_terminal() -> None:
    row = table.Row("a", "no", {}, [verdict.reason(NO, "x", "red \x1b[31m\nalert")])
    assert table.reason_lines([row]) == [
        "a: no",
        "  no      x: red \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}alert",
    ]
