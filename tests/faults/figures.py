"""The figures of the long form, and the tables made of them.

Run: python tests/faults/figures.py
"""

import contextlib
import fcntl
import json
import platform
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "results" / "faults"
PAGE = ROOT / "docs" / "reliability.md"
MODULES = (
    *("kills", "files", "disk", "command_lines"),
    *("records", "signals", "workers", "bounds"),
)


def _file(module):
    return FOLDER / f"{module}.json"


@contextlib.contextmanager
def _alone(module):
    """For this process alone: tests of a module may run in several."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = Path(tempfile.gettempdir()) / f"ls_tf.faults.{module}.lock"
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def read(module):
    """The figures of a module: case -> name -> number or word."""
    file = _file(module)
    return json.loads(file.read_text())["cases"] if file.exists() else {}


def add(module, case, values):
    """Replaces the figures of one case."""
    with _alone(module):
        cases = read(module)
        cases[case] = values
        about = {"python": platform.python_version(), "cases": cases}
        about["cases"] = dict(sorted(cases.items()))
        _file(module).write_text(json.dumps(about, indent=1) + "\n")


def table(module):
    """The figures of a module as a table of Markdown: a row for each case."""
    cases = read(module)
    if not cases:
        return "No figures yet."
    names = list(dict.fromkeys(name for row in cases.values() for name in row))
    rows = [["case", *names]]
    rows += [
        [case, *(str(row.get(name, "")) for name in names)]
        for case, row in cases.items()
    ]
    first, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([first, f"|{' --- |' * len(rows[0])}", *others])


def filled(page):
    """The page with the present tables between their markers."""
    for module in MODULES:
        opening = f"<!-- faults:{module} -->\n"
        closing = f"\n<!-- /faults:{module} -->"
        before, _, rest = page.partition(opening)
        _, _, after = rest.partition(closing)
        page = f"{before}{opening}{table(module)}{closing}{after}"
    return page


def main():
    """Writes the tables into docs/reliability.md."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
