"""What the recorded benchmarks promise, and what they measured.

Reads the records of a folder and prints one Markdown table. With ``--readme``
it replaces what stands between ``<!-- targets -->`` and ``<!-- /targets -->``
in a file.

Run: python benchmarks/targets.py --readme=benchmarks/README.md
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = ("record", "target", "wanted", "measured", "met")
OPENING, CLOSING = "<!-- targets -->", "<!-- /targets -->"


def rows(folder: Path) -> list[tuple[str, ...]]:
    """One row for each target, by the name of the record.

    Args:
        folder: where records lie.

    Returns:
        Cells as in ``HEAD``.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        for target in json.loads(path.read_text("utf-8"))["targets"]:
            sign = "≤" if target["at_most"] else "≥"
            found.append(
                (
                    f"`{path.name}`",
                    target["name"],
                    f"{sign} {_number(target['wanted'])}",
                    _number(target["got"]),
                    "yes" if target["met"] else "**no**",
                )
            )
    return found


def _number(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{float(f'{value:.3g}'):,g}" if value < 1e6 else f"{value:,.0f}"


def markdown(folder: Path) -> str:
    """The table as text.

    Args:
        folder: where records lie.
    """
    lines = [HEAD, ("---",) * len(HEAD), *rows(folder)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def replaced(text: str, table: str) -> str:
    """Puts the table between the markers.

    Args:
        text: of a file.
        table: what goes there.

    Raises:
        SystemExit: if there is not one pair of markers.
    """
    before, opened, rest = text.partition(OPENING)
    _, closed, after = rest.partition(CLOSING)
    if not opened or not closed:
        sys.exit(f"targets.py: wanted a line {OPENING} and one {CLOSING}")
    return f"{before}{OPENING}\n\n{table}\n\n{CLOSING}{after}"


def main() -> int:
    """Prints the table, or writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--records", type=Path, default=ROOT / "results" / "benchmarks"
    )
    parser.add_argument("--readme", type=Path, help="a file to write it to")
    flags = parser.parse_args()
    table = markdown(flags.records)
    if flags.readme is None:
        print(table)
        return 0
    text = flags.readme.read_text("utf-8")
    flags.readme.write_text(replaced(text, table), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
