"""Which vulnerabilities the package index knows for a release.

The answer is known, with a list (perhaps empty), or unknown, with the reason. No failure ever reads as "none". The base
of the pages is the index that pip uses, or `SHOULDI_JSON_URL`; a page is `BASE/NAME/VERSION/json`, and where the index
has none for single releases, `BASE/NAME/json`, which speaks of the newest release only.
"""

import json
import os
from typing import Any

from packaging.version import InvalidVersion, Version

from shouldi.index import Index, IndexUnavailable, NotOnIndex, fetch, find_index

JSON_URL = "SHOULDI_JSON_URL"
SECONDS = 15.0
_MAX_SUMMARY = 160


def look_up(name: str, version: str, timeout: float = SECONDS) -> dict[str, Any]:
    """Ask the index about one release: `known`, `why` (when not known), `found`, and `yanked` (a reason, or None)."""
    try:
        index, base = _base()
        return _ask(index, base, name, version, timeout)
    except IndexUnavailable as error:
        return unknown(str(error))


def unknown(why: str) -> dict[str, Any]:
    """The answer when nobody could be asked, or the one who was asked did not know."""
    return {"known": False, "why": why, "found": [], "yanked": None}


def _base() -> tuple[Index | None, str]:
    configured = os.environ.get(JSON_URL)
    if configured:
        try:
            return find_index(), configured.rstrip("/")
        except IndexUnavailable:
            return None, configured.rstrip("/")  # it needs no pip to be asked
    index = find_index()
    return index, index.json_url


def _ask(index: Index | None, base: str, name: str, version: str, timeout: float) -> dict[str, Any]:
    try:
        page = fetch(f"{base}/{name}/{version}/json", index=index, timeout=timeout)
    except NotOnIndex:
        page = fetch(f"{base}/{name}/json", index=index, timeout=timeout)
    return read(page, version)


def read(page: bytes, version: str) -> dict[str, Any]:
    """Read a JSON page of the index; everything but a well-formed page about `version` is unknown."""
    try:
        data = json.loads(page)
        told = data["info"]["version"]
        about = Version(told) == Version(version)
        found = _merged([_entry(item) for item in data["vulnerabilities"] if not item.get("withdrawn")])
        yanked = data["info"].get("yanked")
        reason = str(data["info"].get("yanked_reason") or "no reason given") if yanked else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidVersion):
        return unknown("the index gave an answer that is not its JSON page of a release")
    if not about:
        return unknown(f"the index only speaks of its newest release, {told}")
    return {"known": True, "why": None, "found": found, "yanked": reason}


def _entry(item: dict[str, Any]) -> dict[str, Any]:
    text = item.get("summary") or item.get("details") or ""
    return {
        "id": str(item["id"]),
        "aliases": [str(alias) for alias in item.get("aliases") or ()],
        "fixed_in": [str(version) for version in item.get("fixed_in") or ()],
        "summary": " ".join(str(text).split())[:_MAX_SUMMARY],
    }


def _merged(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each vulnerability: databases list the same one under their own ids, with the others as aliases."""
    merged: list[dict[str, Any]] = []
    for entry in entries:
        names = {entry["id"], *entry["aliases"]}
        same = next((other for other in merged if names & {other["id"], *other["aliases"]}), None)
        if same is None:
            merged.append(entry)
            continue
        same["aliases"] = sorted({*same["aliases"], *names} - {same["id"]})
        same["fixed_in"] += [version for version in entry["fixed_in"] if version not in same["fixed_in"]]
        same["summary"] = same["summary"] or entry["summary"]
    return merged
