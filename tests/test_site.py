"""The site is built strictly, nothing comes from elsewhere, its search finds, and the reference has everything."""

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tidemill
from tidemill import errors
from tidemill.cli.group import ON_A_CLUSTER, VERBS
from tools import pictures, site

ROOT = Path(__file__).resolve().parent.parent
WRONG = """
import sys
from pathlib import Path
from tools import site, site_pages
root = Path(sys.argv[1])
site_pages.ROOT, site_pages.DOCS, site_pages.NAVIGATION = root, root / "docs", {}
site.build(root / "site")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, in a folder."""
    out = tmp_path_factory.mktemp("built") / "site"
    said = ran("from tools.site import main; raise SystemExit(main())", "--out", str(out))
    assert said == (0, "")
    return out


def ran(program: str, *arguments: str) -> tuple[int, str]:
    """Run a program in a process of its own, as Sphinx can be started once in one; return its end and its errors."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    return done.returncode, done.stderr


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_nothing_is_fetched_from_elsewhere(built: Path) -> None:
    assert len(list(built.rglob("*.html"))) > 60
    assert site.fetched(built) == []


@pytest.mark.parametrize(
    "content",
    [
        '<script src="https://cdn.example/x.js">',
        "<img alt='' src='//cdn.example/x.png'>",
        '<link rel="stylesheet" href="https://fonts.example/css">',
        "@font-face { src: url(https://fonts.example/a.woff2) }",
        '@import "https://fonts.example/css";',
    ],
)
def test_what_would_be_fetched_is_seen(tmp_path: Path, content: str) -> None:
    (tmp_path / "page.html").write_text(content, encoding="utf-8")
    assert len(site.fetched(tmp_path)) == 1


def test_every_link_leads_to_a_file(built: Path) -> None:
    for page in built.rglob("*.html"):
        for link in re.findall(r'<(?:a|img|script|link)\b[^>]*?\s(?:href|src)="([^"#?]+)', text(page)):
            if not re.match(r"[a-z]+:", link):
                assert (page.parent / html.unescape(link)).exists(), f"{page.relative_to(built)} links to {link}"


def test_the_reference_has_every_name_verb_and_error(built: Path) -> None:
    api, cli, tree = (text(built / "reference" / f"{name}.html") for name in ("api", "cli", "errors"))
    homes = {name: module for module, names in tidemill._HOMES.items() for name in names}
    missing = [name for name in homes if homes[name] != "tidemill.errors" and f'id="tidemill.{name}"' not in api]
    assert missing == []
    assert [name for name in tidemill._DFFML if f">tidemill.{name}<" not in api] == []
    assert [name for name in errors.__all__ if f'id="tidemill.errors.{name}"' not in tree] == []
    assert [verb for verb in VERBS if f">tidemill {verb}<" not in cli] == []
    assert [verb for verb in ON_A_CLUSTER[:1] if f">tidemill {verb} -n<" not in cli] == []
    assert ">--backend<" in cli.replace("</span>", "<").replace("<<", "<")


def test_the_index_of_the_search_knows_the_pages(built: Path) -> None:
    index = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", text(built / "searchindex.js").strip(), re.S)[1])  # type: ignore[index]
    found = index["terms"]["leas"]  # as the stemmer writes it
    assert "decisions/0009-workers-and-leases" in [index["docnames"][number] for number in found]


def test_the_search_answers_in_a_browser_without_a_server(built: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium and no google-chrome in PATH")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"--user-data-dir={tmp_path}", f"{(built / 'search.html').as_uri()}?q=lease"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert re.search(r"found \d+ pages? matching", done.stdout), done.stdout[-2000:]
    assert 'href="decisions/0009-workers-and-leases.html' in done.stdout


def test_pictures_show_what_their_data_flows_are(tmp_path: Path) -> None:
    assert pictures.stale(tmp_path) == []


def test_a_picture_of_something_else_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pictures.PICTURES, "tour", pictures.PICTURES["start"])
    assert pictures.stale(tmp_path) == ["tour"]


def test_a_link_to_no_file_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Title\n\nSee [this](gone.md).\n", encoding="utf-8")
    code, errors = ran(WRONG, str(tmp_path))
    assert code == 1
    assert "docs/index.md links to gone.md, which does not exist" in errors


def test_a_link_to_no_heading_and_a_page_that_nothing_leads_to_fail_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Title\n\nSee [this](#gone).\n", encoding="utf-8")
    (tmp_path / "docs" / "alone.md").write_text("# Alone\n", encoding="utf-8")
    code, errors = ran(WRONG, str(tmp_path))
    assert code == 1
    assert "'gone'" in errors
    assert "alone.md" in errors
