"""The page shows the figures that the long form wrote, and no others."""

import figures


def test_the_page_shows_the_figures():
    page = figures.PAGE.read_text(encoding="utf-8")
    assert figures.filled(page) == page, "run python tests/faults/figures.py"


def test_a_table_has_a_row_for_each_case(monkeypatch):
    cases = {"a": {"runs": 2, "exit 5": 1}, "b": {"runs": 3, "exit 2": 3}}
    monkeypatch.setattr(figures, "read", lambda module: cases)
    assert figures.table("disk").splitlines() == [
        "| case | runs | exit 5 | exit 2 |",
        "| --- | --- | --- | --- |",
        "| a | 2 | 1 |  |",
        "| b | 3 |  | 3 |",
    ]


def test_every_module_has_its_place_on_the_page():
    page = figures.PAGE.read_text(encoding="utf-8")
    for module in figures.MODULES:
        assert page.count(f"<!-- faults:{module} -->") == 1
        assert page.count(f"<!-- /faults:{module} -->") == 1
