"""What a page compares: the runs of an experiment, or folders of records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ls_tf import stopping
from ls_tf.pages import builder, comparison, naming, same_data
from ls_tf.records.record import RUN, Record, read_record
from ls_tf.records.runs import Path, RunError
from ls_tf.reports import compare
from ls_tf.running import stack
from ls_tf.spec import SpecError, Value, changes, from_dict

NAME = "compare"
_VARY = "--vary"
_RUNS = "--runs"


def of_experiment(
    experiment: str,
    varied: Sequence[str],
    *,
    changed: Mapping[str, Value],
    seed: int | None,
    smoke: bool,
) -> compare.Chosen:
    """The comparison of an experiment's runs over some fields.

    Args:
        experiment: its name.
        varied: ``FIELD:VALUE,...`` each; several multiply, and the seeds of
            a row are averaged.
        changed: what all rows change.
        seed: of all rows, unless it is varied.
        smoke: whether the runs are shrunk.

    Returns:
        Chosen: for ``builder.build``.

    Raises:
        SpecError: an unknown field, a value that is not of its type, or one
            that stands twice; one line.

    Source: ours.
    """
    fields = stack.listed(varied, _VARY)
    runs = stack.identities(
        experiment,
        fields,
        changed=changed,
        seed=seed,
        smoke=smoke,
        flag=_VARY,
    )
    return compare.of(runs, [name for name in fields if name != "seed"])


def build(folders: Sequence[str], *, reports_dir: str, svg: bool) -> str:
    """Builds the page of runs that are named by their folders.

    Args:
        folders: of runs, or of the seeds of a network (``seed=K``), which are
            one row.
        reports_dir: where the page's folder goes.
        svg: whether figures are written as SVG too.

    Returns:
        str: the path of the page.

    Raises:
        SpecError, RunError, ReportError: no folder, one that is no finished
            run, two runs of one seed, a row of runs that differ in more than
            the seed or in their data, or rows of different tasks; one line.

    Source: ours.
    """
    if not folders or not all(folders):
        raise SpecError(f"{_RUNS}: wanted FOLDER,FOLDER,..., got ''")
    found = [_records(folder) for folder in folders]
    recorded: list[tuple[str, Record]] = []
    rows: list[dict[int, Record]] = []
    for folder, records in zip(folders, found, strict=True):
        row: dict[int, Record] = {}
        for record in records:
            stopping.look()
            row[record.run["seed"]] = record
            recorded.append((_title(record), record))
        if len(row) < len(records):
            raise RunError(f"{_RUNS}: {folder}: two runs have one seed")
        _refuse_unlike(folder, records)
        rows.append(row)
    firsts = [next(iter(row.values())).run for row in rows]
    comparison.check(list(zip(folders, firsts, strict=True)))
    fields = dict.fromkeys(
        ["experiment", *(path for run in firsts for path in run["changes"])]
    )
    named = naming.names(firsts, fields, folders)
    return builder.build_of(
        NAME,
        compare.TITLE,
        lambda: comparison.blocks(
            [
                comparison.Row(name, row)
                for name, row in zip(named, rows, strict=True)
            ]
        ),
        recorded,
        reports_dir=reports_dir,
        svg=svg,
    )


def _refuse_unlike(folder: str, records: Sequence[Record]) -> None:
    """Refuses seeds that are no seeds of one network: they have no mean."""
    first, *others = records
    for other in others:
        if differing := _differing(first.run["spec"], other.run["spec"]):
            raise RunError(
                f"{_RUNS}: {folder}: wanted runs that differ in the seed "
                f"alone, got {first.path.name} and {other.path.name}, which "
                f"differ in {', '.join(differing)}; name them as rows of "
                "their own"
            )
    same_data.refuse_other(records)


def _differing(
    one: Mapping[str, Any], other: Mapping[str, Any]
) -> Sequence[str]:
    """The fields, less the seed, in which two specifications differ."""
    try:
        return list(changes(from_dict(other), from_dict(one)))
    except SpecError:  # of parts that are not here
        fields = sorted((one.keys() | other.keys()) - {"seed"})
        return [name for name in fields if one.get(name) != other.get(name)]


def _title(record: Record) -> str:
    """The last parts of a run's path, which name it on any machine."""
    return "/".join(record.path.parts[-3:])


def _records(folder: str) -> list[Record]:
    """The finished records of a row, by their seeds."""
    path = Path(folder)
    below = [path] if (path / RUN).exists() else _seeds(path)
    if not below:
        raise RunError(
            f"{_RUNS}: {folder} is no run: wanted a folder with {RUN}, or one "
            "with folders seed=K"
        )
    records = [record for p in below if (record := read_record(p)) is not None]
    for record in records:
        if not record.is_finished:
            raise RunError(
                f"{_RUNS}: {record.path} is not finished: its outcome is "
                f"'{record.run['outcome']}', at step {record.run['step']:,}"
            )
    return sorted(records, key=lambda record: int(record.run["seed"]))


def _seeds(path: Path) -> Iterable[Path]:
    return [p.parent for p in sorted(path.glob(f"seed=*/{RUN}"))]
