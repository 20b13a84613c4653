"""The documents: links that lead somewhere, and a README that can be read."""

import re
from pathlib import Path

import pytest

from ls_tf.spec import registry

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for folder in (".", "docs", "flags", "results", "benchmarks", "scripts")
    for path in (ROOT / folder).glob("*.md")
)
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors(page):
    """The headings of a page as GitHub links to them."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf-8"))
    found = set()
    for heading in re.findall(r"(?m)^#+ +(.*?)\s*$", text):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page):
    lost = []
    for name, anchor in _LINK.findall(page.read_text("utf-8")):
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{name}#{anchor}" if anchor else name)
    assert not lost


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 1500


def test_every_page_is_in_the_sites_table_of_contents():
    """Sphinx would warn of it, where it is installed."""
    index = (ROOT / "docs/index.md").read_text("utf-8")
    trees = "\n".join(re.findall(r"(?ms)^```\{toctree\}.*?^```", index))
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert [p for p in pages if not re.search(rf"(?m)^{p}$", trees)] == []


def test_every_experiment_is_listed():
    text = (ROOT / "docs/experiments.md").read_text("utf-8")
    names = registry.names("ls_tf.experiments")
    assert [name for name in names if f"\n| {name} |" not in text] == []


def test_every_report_is_named():
    text = (ROOT / "docs/reproduce.md").read_text("utf-8")
    text += (ROOT / "docs/experiments.md").read_text("utf-8")
    names = registry.names("ls_tf.reports")
    assert [name for name in names if name not in text] == []
