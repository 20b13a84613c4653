"""What a row of metrics.csv costs, by how many there are already.

A row is appended; it was written with all rows before it until the table was
made to grow, and that is what it is compared with.

Run: python benchmarks/metrics.py --out=results/benchmarks
"""

import csv
import io
import tempfile
from typing import Any

import _common
from _common import Target

COUNTS = (1_000, 10_000, 100_000)
COLUMNS = (
    "train/loss",
    "train/nll",
    "train/accuracy",
    "epoch",
    "learning_rate",
)


def _values(step: int) -> dict[str, float]:
    """What a classifier logs, with as many digits."""
    return {name: (step + k) / 7 for k, name in enumerate(COLUMNS)}


class _Rewritten:
    """All rows are kept in memory and written for each new one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._rows: list[dict[str, float]] = []

    def log(self, step: int, values: dict[str, float]) -> None:
        self._rows.append({"step": step, **values})

    def flush(self) -> None:
        from ls_tf.records.files import write_bytes

        names = list(dict.fromkeys(k for row in self._rows for k in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for row in self._rows:
            writer.writerow(
                {
                    k: int(v) if k == "step" else repr(float(v))
                    for k, v in row.items()
                }
            )
        write_bytes(self._file, text.getvalue().encode())


def _appended(file: Any) -> Any:
    from ls_tf.records.files import write_bytes
    from ls_tf.records.metrics import Metrics

    return Metrics(file, lambda data: write_bytes(file, data), file.unlink)


def _case(folder: Any, name: str, make: Any, count: int, units: int) -> Any:
    """A table of so many rows; a round adds some and flushes each."""
    table = make(folder / f"{name.replace(' ', '_')}.csv")
    steps = iter(range(1, 10**9))
    for step in steps:
        table.log(step, _values(step))
        if name.startswith("append"):
            table.flush()
        if step == count:
            break

    def work() -> None:
        for _ in range(units):
            step = next(steps)
            table.log(step, _values(step))
            table.flush()

    return _common.timed(work, units)


def main() -> None:
    """Measures, prints the ratios and writes the record."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=25)
    options = parser.parse_args()
    about = _common.machine()
    _common.start()
    from etils import epath

    with tempfile.TemporaryDirectory() as place:
        folder, cases = epath.Path(place), {}
        for count in COUNTS:
            name = f"append at {count:,} rows"
            cases[name] = _case(folder, name, _appended, count, 500)
        for count in COUNTS:
            name = f"rewrite at {count:,} rows"
            units = max(1, 10_000 // count)
            cases[name] = _case(folder, name, _Rewritten, count, units)
        timings = _common.interleaved(cases, repeats=options.repeats)
    _common.table(
        ("case", "ms a row, min", "ms a row, median"),
        [(k, t.min * 1e3, t.median * 1e3) for k, t in timings.items()],
    )
    of = {name: timing.median for name, timing in timings.items()}
    first, last = f"{COUNTS[0]:,} rows", f"{COUNTS[-1]:,} rows"
    targets = [
        Target(
            f"a row at {last} / at {first}",
            1.05,
            of[f"append at {last}"] / of[f"append at {first}"],
            at_most=True,
        ),
        Target(
            f"rewriting / appending at {last}",
            1000,
            of[f"rewrite at {last}"] / of[f"append at {last}"],
        ),
    ]
    _common.finish(
        "metrics",
        options,
        about=about,
        settings={"columns": 1 + len(COLUMNS), "rows": list(COUNTS)},
        timings=timings,
        results={t.name: t.got for t in targets},
        targets=targets,
    )


if __name__ == "__main__":
    main()
