"""Tests of docs/library.md: its examples run."""

import pathlib
import re

import pytest
from matplotlib import pyplot

PAGE = pathlib.Path(__file__).parents[2] / "docs/library.md"


def examples():
    text = PAGE.read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("pandas")
    pyplot.switch_backend("agg")
    names = {"RUNS": PAGE.parents[1] / "results/runs"}
    code = examples()
    assert len(code) > 3
    for number, text in enumerate(code):
        exec(compile(text, f"example {number}", "exec"), names)
    pyplot.close("all")
