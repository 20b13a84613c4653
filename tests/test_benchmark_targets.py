"""The table of the benchmarks' targets is that of the records."""

import json
import pathlib
import runpy

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def targets():
    return runpy.run_path(str(FOLDER / "targets.py"))


def test_a_row_for_each_target(targets, tmp_path):
    made = [
        {"name": "a", "wanted": 0.6, "got": 0.59949, "at_most": False},
        {"name": "b", "wanted": 1e5, "got": 348_561.2, "at_most": True},
    ]
    for target, met in zip(made, (False, True), strict=True):
        target["met"] = met
    (tmp_path / "x.json").write_text(json.dumps({"targets": made}))
    assert targets["rows"](tmp_path) == [
        ("`x.json`", "a", "≥ 0.6", "0.599", "**no**"),
        ("`x.json`", "b", "≤ 100,000", "349,000", "yes"),
    ]


def test_refuses_a_file_without_markers(targets):
    with pytest.raises(SystemExit, match="<!-- targets -->"):
        targets["replaced"]("nothing here", "| a |")


def test_the_installation_shows_its_record(targets):
    page = (ROOT / "docs" / "installation.md").read_text("utf-8")
    table = targets["installed"](ROOT / "results" / "benchmarks")
    assert targets["replaced"](page, table, "installed") == page


def test_the_readme_shows_the_records(targets):
    text = (FOLDER / "README.md").read_text("utf-8")
    table = targets["markdown"](ROOT / "results" / "benchmarks")
    assert targets["replaced"](text, table) == text
