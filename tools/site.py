"""Builds the site of the documentation: `make site`.

Strictly: what Sphinx warns of is an error (a link to nothing, a page that nothing leads to, a docstring that cannot be
read). Nothing is fetched, neither while it is built nor when it is looked at: its search is a script over an index that
lies beside the pages, so a folder is all it needs, or any server of files.
Neighbours: `site_pages` lays out the pages; docs/reference names what comes out of the code.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from tidemill import __version__
from tools.site_pages import Layout

__all__ = ["FROM_OUTSIDE", "OUT", "build", "fetched"]

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "site"
FROM_OUTSIDE = re.compile(
    r"""(?:<(?:script|img|iframe)\b[^>]*\ssrc|<link\b[^>]*\shref)=["'](?:https?:)?//[^"']*|"""
    r"""url\(\s*["']?(?:https?:)?//[^)]*|@import\s+["'](?:https?:)?//[^"']*"""
)
"""What a browser would fetch from elsewhere when it shows a page."""

SETTINGS: dict[str, Any] = {
    "project": "Tidemill",
    "author": "Tidemill authors",
    "version": __version__,
    "release": __version__,
    "root_doc": "index",
    "extensions": ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx_click"],
    "myst_heading_anchors": 4,
    "html_theme": "furo",
    "html_title": "Tidemill",
    "html_copy_source": False,
    "html_show_copyright": False,
    "highlight_language": "text",
    "default_role": "code",
    "autodoc_member_order": "bysource",
    "autodoc_default_options": {"members": True, "show-inheritance": True},
    "autodoc_use_legacy_class_based": False,
    "autosummary_generate": False,
    "smartquotes": False,  # two dashes are an option
}


def build(out: Path = OUT, quiet: bool = True) -> None:
    """Build the site into a folder. Raises `SphinxError` with the first thing that is wrong."""
    staged, trees = out.with_name(f"{out.name}-pages"), out.with_name(f"{out.name}-trees")
    Layout(staged).lay()
    app = Sphinx(
        staged,
        None,
        out,
        trees,
        "html",
        confoverrides=SETTINGS,
        status=None if quiet else sys.stdout,
        warningiserror=True,
        freshenv=True,
    )
    app.build(force_all=True)
    if app.statuscode:
        raise SphinxError("the build has warnings, and they are errors: see above")


def fetched(out: Path = OUT) -> list[str]:
    """Return what pages would have a browser fetch from elsewhere: nothing, if all is well."""
    return [
        f"{path.relative_to(out)}: {found[0]}"
        for path in sorted(out.rglob("*"))
        if path.suffix in (".html", ".css")
        for found in FROM_OUTSIDE.finditer(path.read_text(encoding="utf-8"))
    ]


def main() -> int:
    """Build it and say where it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    given = parser.parse_args()
    try:
        build(given.out.resolve())
    except (SphinxError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{given.out / 'index.html'}: {sum(1 for _ in given.out.rglob('*.html'))} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
