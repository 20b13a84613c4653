"""Damaged records, read by every report: one line, or the right page.

The records of every run that a report needs are made once. An example damages
one file of one of them, builds a report that needs it, and puts it right.
"""

import collections
import contextlib
import dataclasses
import io
import json
import math
import pathlib
import sys

import made_records
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as some

from ls_tf import cli
from ls_tf.pages import canvas
from ls_tf.spec import registry

REPORTS = tuple(
    name
    for name in registry.names("ls_tf.reports")
    if registry.get("ls_tf.reports", name).REQUIRES
)
# One of each family of pages.
SHORT = (
    "quick_tour",
    "re_fig2_penultimate_mnist",
    "re_fig3b_reliability_mnist",
    "fig3_reliability_ende",
    "fig7_penultimate_ende",
)
INDEX = "digests.json"  # of the files of a record
DEEP = json.loads("[" * 900 + "]" * 900)
WRONG = [
    *(None, True, 0, -1, 10**400, 2**63, 1e308, -0.5, math.nan, math.inf),
    *("", "0.5", "$$", "<script>", "\ud800", "x" * 10_000, [], {}, [[]]),
    *([None], {"scalars": {}}, [1, 2, 3], DEEP, {"": 0}, "\x00", 1e-320),
]
CELLS = (
    "",
    "x",
    "nan",
    "1e999",
    "-1",
    "0x1",
    "9" * 400,
    '"',
    "\x00",
    " 1",
    "é",
)


def _needs(name):
    made = registry.get("ls_tf.reports", name)
    return [need for need in made.REQUIRES if not need.optional]


class _Opened:
    """Which files this process opens, while it is asked to look."""

    def __init__(self):
        self.files = None
        sys.addaudithook(self)  # for good: Python has no way to take it back

    def __call__(self, event, args):
        if event == "open" and self.files is not None:
            self.files.add(str(args[0]))

    def by(self, function):
        """The result of a function, and what it opened."""
        self.files = set()
        try:
            return function(), self.files
        finally:
            self.files = None


@dataclasses.dataclass(repr=False)
class Whole:
    """A report of undamaged records."""

    files: dict[str, bytes]
    read: list[pathlib.Path]  # files of records


@pytest.fixture(scope="module")
def stored(tmp_path_factory, is_long, quick):
    """A folder with the records of all needs; the whole reports by name."""
    folder = tmp_path_factory.mktemp("records")
    reports = REPORTS if is_long else SHORT
    for need in dict.fromkeys(n for name in reports for n in _needs(name)):
        made_records.write(folder / "runs", need)
    opened, whole = _Opened(), {}
    for name in reports:
        (code, err, files), read = opened.by(lambda n=name: _built(folder, n))
        assert code == 0, err
        below = [pathlib.Path(f) for f in sorted(read) if f"{folder}/runs" in f]
        whole[name] = Whole(
            files, [f for f in below if f.suffix in _SHAPED and f.exists()]
        )
    return folder, whole


@pytest.fixture(scope="module")
def quick():
    """Pictures are drawn, not rendered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "png", lambda figure: b"")
        patch.setattr(canvas, "pdf", lambda figure: b"")
        yield


def _built(folder, name):
    """Exit code, lines of errors and the files of a report."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(
            [
                "run_experiment.py",
                f"--report={name}",
                f"--runs_dir={folder / 'runs'}",
                f"--reports_dir={folder / 'reports'}",
            ]
        )
    page = folder / "reports" / name
    files = {
        path.name: path.read_bytes()
        for path in (sorted(page.rglob("*")) if page.exists() else ())
        if path.is_file()
    }
    return code, err.getvalue().splitlines(), files


# --- How a file is damaged


def _places(value, path=()):
    """Every place in a JSON value."""
    found = [path]
    pairs = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, below in pairs:
        found += _places(below, (*path, key))
    return found


def _json(draw, data):
    """A value left out, of another kind, renamed or added."""
    value = json.loads(data)
    path = draw(some.sampled_from(_places(value)))
    how = draw(some.sampled_from(("replace", "remove", "rename", "add")))
    new = draw(some.sampled_from(WRONG))
    told = f"{how} {'.'.join(map(str, path)) or 'all'}: {str(new)[:40]}"
    if not path:
        whole = new if how == "replace" else [value]
        return told, json.dumps(whole).encode()
    *above, last = path
    parent = value
    for key in above:
        parent = parent[key]
    if how == "remove":
        del parent[last]
    elif how == "rename" and isinstance(parent, dict):
        parent[f"{last}_"] = parent.pop(last)
    elif how == "add" and isinstance(parent, dict):
        parent["another"] = new
    else:
        parent[last] = new
    return told, json.dumps(value).encode()


def _csv(draw, data):
    """A cell changed, a row or a column gone, a row twice."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    row = draw(some.integers(0, len(rows) - 1))
    how = draw(some.sampled_from(("cell", "row", "column", "again", "more")))
    told = f"{how} in line {row}"
    if how == "cell":
        column = draw(some.integers(0, len(rows[row]) - 1))
        rows[row][column] = draw(some.sampled_from(CELLS))
        told += f": {rows[row][column][:20]!r} in column {column}"
    elif how == "row":
        del rows[row]
    elif how == "column":
        column = draw(some.integers(0, len(rows[0]) - 1))
        told = f"without column {column}"
        for cells in rows:
            del cells[column : column + 1]
    elif how == "again":
        rows.append(rows[row])
    else:
        rows[row].append("1")
    return told, "\n".join(",".join(cells) for cells in rows).encode()


def _npz(draw, data):
    """An array gone, of another shape or kind, or with odd values."""
    with np.load(io.BytesIO(data)) as opened:
        arrays = dict(opened)
    name = draw(some.sampled_from(sorted(arrays)))
    array = arrays.pop(name)
    changes = {
        "gone": lambda: None,
        "no rows": lambda: array[:0],
        "an axis more": lambda: array[..., None],
        "one value": lambda: array.ravel()[:1],
        "text": lambda: array.astype(str),
        "a number": lambda: np.asarray(3.0),
        "NaN": lambda: np.full(array.shape, np.nan),
        "huge": lambda: np.full(array.shape, 1e300),
        "complex": lambda: array.astype(complex),
    }
    how = draw(some.sampled_from(sorted(changes)))
    changed = changes[how]()
    if changed is not None:
        arrays[name] = changed
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return f"array {name}: {how}", file.getvalue()


def _bytes(draw, data):
    """Cut, flipped, emptied, doubled."""
    how = draw(some.sampled_from(("cut", "flip", "empty", "twice", "junk")))
    place = draw(some.integers(0, max(len(data) - 1, 0)))
    bit = 1 << draw(some.integers(0, 7))
    flipped = bytes(b ^ bit for b in data[place : place + 1])
    return f"{how} at byte {place}, bit {bit}", {
        "cut": data[:place],
        "flip": data[:place] + flipped + data[place + 1 :],
        "empty": b"",
        "twice": data + data,
        "junk": b"\x80\x04\x95" + data[3:],
    }[how]


_SHAPED = {".json": _json, ".csv": _csv, ".npz": _npz}


@dataclasses.dataclass(frozen=True)
class Damage:
    """What happens to one file of a run that a report needs."""

    report: str
    run: pathlib.Path
    file: pathlib.Path
    how: str
    checked: bool  # whether the record keeps the digests of its files
    data: bytes = dataclasses.field(repr=False)


@some.composite
def damages(draw, whole):
    """Draws a ``Damage`` of a file that its report reads."""
    name = draw(some.sampled_from(sorted(whole)))
    files = [file for file in whole[name].read if file.name != INDEX]
    file = draw(some.sampled_from(files))
    run = file.parent
    if run.name == "measurements":
        run = run.parent
    damage = draw(some.sampled_from((_bytes, _SHAPED[file.suffix])))
    checked = draw(some.booleans())
    data = file.read_bytes()
    if file.name == "run.json" and not checked:
        data = _old(data)
    how, changed = damage(draw, data)
    assume(changed != data)
    return Damage(name, run, file, how, checked, changed)


def _old(data):
    """A ``run.json`` from before there were digests."""
    run = json.loads(data)
    del run["indexed"]
    return json.dumps(run, indent=1).encode()


@contextlib.contextmanager
def _done(damage):
    """While it is damaged."""
    index, run = damage.run / INDEX, damage.run / "run.json"
    kept = {path: path.read_bytes() for path in (damage.file, index, run)}
    if not damage.checked:
        index.unlink()
        run.write_bytes(_old(kept[run]))
    damage.file.write_bytes(damage.data)
    try:
        yield
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def _seen(damage, folder, whole):
    """What became of the report; raises for what must not be."""
    with _done(damage):
        code, err, files = _built(folder, damage.report)
    assert code in (0, 2), (code, err)
    assert not any("Traceback" in line for line in err), err
    if code == 2:
        assert len(err) == 1 and err[0].startswith("ls_tf: "), err
        return "refused"
    if files == whole[damage.report].files:
        return "the right page"
    # What has digests is never shown with other numbers.
    assert not damage.checked
    return "shown, for want of digests"


def test_damaged_records_are_one_line_or_the_right_page(
    stored, is_long, figures
):
    folder, whole = stored
    seen = collections.Counter()

    @seed(2)
    @settings(
        max_examples=500 if is_long else 40,
        deadline=None,
        database=None,
        # The first example that fails is short enough.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(damage=damages(whole))
    def every(damage):
        seen[_seen(damage, folder, whole)] += 1

    every()
    figures(
        "damaged",
        records=sum(seen.values()),
        **dict(sorted(seen.items())),
        tracebacks=0,
    )
    assert seen["refused"]
