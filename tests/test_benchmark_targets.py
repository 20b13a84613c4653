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


def test_an_accelerator_s_table_shows_its_record(targets):
    page = (ROOT / "docs" / "accelerators.md").read_text("utf-8")
    table = targets["accelerator"](ROOT / "results" / "benchmarks")
    assert targets["replaced"](page, table, "accelerator") == page


def test_the_five_doors_show_their_record(targets):
    page = (ROOT / "docs" / "index.md").read_text("utf-8")
    table = targets["doors"](ROOT / "results" / "benchmarks")
    assert targets["replaced"](page, table, "doors") == page


def test_an_accelerator_s_program_is_shown_once(targets, tmp_path):
    row = {"ms": 2.0, "examples_per_second": 1_234_567.0, "compiling_s": 3.0}
    record = {
        "date": "2026-01-02T03:04:05",
        "git": {"commit": "0123456789"},
        "machine": {"device": "a card", "runtime": "cuda"},
        "settings": {"parts": ["steps", "gap", "forms"]},
        "results": {
            "steps": {"net": row | {"tflop_per_second": 4.0}},
            "gap": {"net": {"call_ms": 1.0}},
            "forms": {"net": row | {"ms": 9.0}, "other": row},
        },
    }
    (tmp_path / "accelerator.json").write_text(json.dumps(record))
    assert targets["accelerator"](tmp_path).splitlines()[2:] == [
        "| net | 2 | 1,230,000 | 4 | – | 3 |",
        "| other | 2 | 1,230,000 | – | – | 3 |",
        "",
        "a card, cuda, 2026-01-02, commit `0123456`.",
    ]


def test_the_readme_shows_the_records(targets):
    text = (FOLDER / "README.md").read_text("utf-8")
    table = targets["markdown"](ROOT / "results" / "benchmarks")
    assert targets["replaced"](text, table) == text
