"""The exit codes, and that every list of them is whole."""

import re
from pathlib import Path

import pytest

from ls_tf import arguments, exit_codes

DOCS = Path(__file__).parents[1] / "docs"


def test_codes_are_those_that_scripts_rely_on():
    names = ("OK", "BAD_INPUT", "STOPPED", "NOT_FINITE", "NO_SPACE", "LOST")
    codes = [getattr(exit_codes, name) for name in names]
    # 1 is Python's, for a traceback.
    assert codes == [0, 2, 3, 4, 5, 6]
    assert list(exit_codes.MEANINGS) == codes


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("reproduce.md", "| exit code | meaning |"),
        ("run_record.md", "| code | the record |"),
    ],
)
def test_documents_list_them_all(page, heading):
    _, found, table = (DOCS / page).read_text().partition(heading)
    assert found
    rows = re.findall(r"^\| (\d+) \|", table.split("\n\n")[0], re.MULTILINE)
    assert {int(code) for code in rows} == exit_codes.MEANINGS.keys()


def test_help_says_what_they_mean():
    text = arguments.usage(["an_experiment"], ["a_report"])
    assert max(map(len, text.splitlines())) <= 80
    said = " ".join(text.split())
    assert "exit codes: 0 done; 2 bad input" in said
    for code, meaning in exit_codes.MEANINGS.items():
        assert f" {code} {meaning}" in said
