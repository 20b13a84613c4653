"""What the recorded benchmarks promise, and what they measured.

Reads the records of a folder and prints one Markdown table. With ``--readme``
it replaces what stands between ``<!-- targets -->`` and ``<!-- /targets -->``
in a file. With ``--installed`` it writes what the extras install, from the
record ``installation.json``, between such marks in another file; with
``--accelerator`` likewise what ``accelerator.json`` found, with ``--doors``
what ``doors.json`` did.

Run: python benchmarks/targets.py --readme=benchmarks/README.md
     python benchmarks/targets.py --installed=docs/installation.md
     python benchmarks/targets.py --accelerator=docs/accelerators.md
     python benchmarks/targets.py --doors=docs/index.md
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = ("record", "target", "wanted", "measured", "met")
TARGETS, INSTALLED = "targets", "installed"
ACCELERATOR, DOORS = "accelerator", "doors"


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
    rounded = float(f"{value:.3g}")
    return f"{rounded:,g}" if value < 1e6 else f"{rounded:,.0f}"


def markdown(folder: Path) -> str:
    """The table as text.

    Args:
        folder: where records lie.
    """
    return _table([HEAD, ("---",) * len(HEAD), *rows(folder)])


def _table(lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def installed(folder: Path) -> str:
    """What each extra installs, and when that was measured, as text.

    Args:
        folder: where records lie.
    """
    record = json.loads((folder / "installation.json").read_text("utf-8"))
    made = record["results"]
    lines = [
        ("installed", "MB", "packages", "the largest, MB"),
        ("---", "---:", "---:", "---"),
    ]
    for extra in record["settings"]["extras"].split(","):
        found = made[extra]
        largest = [f"{name} {mb:.0f}" for name, mb in found["largest"].items()]
        lines.append(
            (
                "`ls_tf`" if extra == "light" else f"`ls_tf[{extra}]`",
                f"{found['mb']:,.0f}",
                str(found["packages"]),
                ", ".join(largest[:4]),
            )
        )
    return (
        f"{_table(lines)}\n\nPython {record['settings']['python']} on Linux, "
        f"{record['date'][:10]}; the wheel itself is {made['wheel']['mb']} MB "
        "packed."
    )


def accelerator(folder: Path) -> str:
    """Each program that was timed on an accelerator, once, as text.

    Args:
        folder: where records lie.
    """
    record = json.loads((folder / "accelerator.json").read_text("utf-8"))
    made = record["results"]
    timed: dict[str, dict[str, float]] = {}
    for part in record["settings"]["parts"]:
        for name, row in made.get(part, {}).items():
            if "ms" in row:  # A gap has other numbers.
                timed.setdefault(name, row)
    lines = [
        (
            "program",
            "ms",
            "examples/s",
            "TFLOP/s",
            "of the rate",
            "compiled in s",
        )
    ]
    lines.append(("---", *["---:"] * (len(lines[0]) - 1)))
    for name, row in timed.items():
        rate, part = row.get("tflop_per_second"), row.get("part_of_rate")
        lines.append(
            (
                name,
                _number(row["ms"]),
                _number(row["examples_per_second"]),
                "–" if rate is None else _number(rate),
                "–" if part is None else f"{part:.1%}",
                _number(row["compiling_s"]),
            )
        )
    about = record["machine"]
    return (
        f"{_table(lines)}\n\n{about['device']}, {about['runtime']}, "
        f"{record['date'][:10]}, commit `{record['git']['commit'][:7]}`."
    )


def doors(folder: Path) -> str:
    """What a new user needs for each door of the README, as text.

    Args:
        folder: where records lie.
    """
    record = json.loads((folder / "doors.json").read_text("utf-8"))
    lines = [
        (
            *("door", "installing, s", "to the first result, s"),
            *("commands", "words on the screen"),
        ),
        ("---", *["---:"] * 4),
    ]
    for row in record["results"].values():
        lines.append(
            (
                row["title"],
                f"{row['install_s']:.0f}",
                f"{row['first_result_s']:.0f}",
                *(str(row["commands"]), str(row["words"])),
            )
        )
    return (
        f"{_table(lines)}\n\n{record['machine']['cores']} cores, "
        f"{record['date'][:10]}, commit `{record['git']['commit'][:7]}`."
    )


def replaced(text: str, table: str, name: str = TARGETS) -> str:
    """Puts the table between the markers.

    Args:
        text: of a file.
        table: what goes there.
        name: of the markers.

    Raises:
        SystemExit: if there is not one pair of markers.
    """
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, opened, rest = text.partition(opening)
    _, closed, after = rest.partition(closing)
    if not opened or not closed:
        sys.exit(f"targets.py: wanted a line {opening} and one {closing}")
    return f"{before}{opening}\n\n{table}\n\n{closing}{after}"


def main() -> int:
    """Prints the table, or writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--records", type=Path, default=ROOT / "results" / "benchmarks"
    )
    parser.add_argument("--readme", type=Path, help="a file to write it to")
    parser.add_argument("--installed", type=Path, help="likewise")
    parser.add_argument("--accelerator", type=Path, help="likewise")
    parser.add_argument("--doors", type=Path, help="likewise")
    flags = parser.parse_args()
    tables = (
        (flags.readme, markdown, TARGETS),
        (flags.installed, installed, INSTALLED),
        (flags.accelerator, accelerator, ACCELERATOR),
        (flags.doors, doors, DOORS),
    )
    if not any(file for file, _, _ in tables):
        print(markdown(flags.records))
    for file, table, name in tables:
        if file is not None:
            text = file.read_text("utf-8")
            made = replaced(text, table(flags.records), name)
            file.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
