"""Tests of docs/library.md: its examples run."""

import pathlib
import re

PAGE = pathlib.Path(__file__).parents[2] / "docs/library.md"


def examples():
    text = PAGE.read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    code = examples()
    assert len(code) > 3
    for number, text in enumerate(code):
        exec(compile(text, f"example {number}", "exec"), names)
