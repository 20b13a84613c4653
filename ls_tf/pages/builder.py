"""Finds a report's records, builds it and writes its files."""

import contextlib
import errno
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

from ls_tf import stopping
from ls_tf.pages import canvas, declared, html, same_data, splice, tables
from ls_tf.pages.blocks import Block, Need, Picture, ReportError, Table
from ls_tf.pages.html import Missing
from ls_tf.records import runs
from ls_tf.records.files import (
    RunError,
    write_files,
    write_folder,
)
from ls_tf.records.reading import line
from ls_tf.records.runs import Path, Record
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import Resolver, RunIdentity

# Each record with the name of its folder.
_Recorded = list[tuple[str, Record]]

# The command line has its own exit code for a full disk.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SMOKE_NOTE = (
    "These runs were shrunk to seconds with --smoke: the page shows that the "
    "path works, its numbers mean nothing."
)


class Report(Protocol):
    """What a module of ``ls_tf.reports`` has.

    ``PARTIAL = True`` beside it: the page can be built of any of its runs.
    ``READS_ALL = True``: it is given all finished runs of the folder.
    """

    @property
    def TITLE(self) -> str:
        """The page's heading."""

    @property
    def REQUIRES(self) -> tuple[Need, ...]:
        """The runs that it reads."""

    @property
    def build(self) -> Callable[[Mapping[Need, Record]], Iterable[Block]]:
        """Makes the page's blocks."""


class MissingRunsError(ReportError):
    """A report cannot do without runs that are not there; one line."""


def identities(
    module: Report | ModuleType, *, smoke: bool, optional: bool = False
) -> list[RunIdentity]:
    """Lists the runs that a report cannot do without: its headline runs.

    A report whose module says ``PARTIAL = True`` can be built from any of its
    runs, or from none; its headline runs are what ``--run_missing`` trains.
    A run that several rows of a page need is listed once.

    Args:
        module: a module of ``ls_tf.reports``.
        smoke: whether their shrunk form is meant.
        optional: whether those are meant that it can do without.

    Returns:
        list: the runs, teachers before their students.

    Source: ours.
    """
    needs = [need for need in module.REQUIRES if need.optional == optional]
    found = _resolved(needs, smoke).values()
    return list({identity.folder: identity for identity in found}.values())


def _resolved(needs: Iterable[Need], smoke: bool) -> dict[Need, RunIdentity]:
    """Finds the run that each need means, once."""
    resolver = Resolver(smoke=smoke)
    return {
        need: resolver.resolve(need.experiment, need.changes, need.seed)
        for need in needs
    }


def _command(identity: RunIdentity, runs_dir: str) -> str:
    if runs_dir == "runs":
        return identity.command()
    return f"{identity.command()} --runs_dir={shlex.quote(runs_dir)}"


def _find(
    name: str, module: Report | ModuleType, runs_dir: str, smoke: bool
) -> tuple[dict[Need, Record], _Recorded, list[Missing]]:
    """Finds the records and their runs; says what the page is built without."""
    records: dict[Need, Record] = {}
    recorded: _Recorded = []
    missing: list[Missing] = []
    wanted: list[str] = []  # commands of what the report cannot do without
    if getattr(module, "READS_ALL", False):
        for identity, whole in _all_recorded(runs_dir, smoke):
            whole.check()
            need = Need(identity.experiment, identity.changes, identity.seed)
            records[need] = whole
            recorded.append((identity.folder, whole))
        return records, recorded, missing
    partial = getattr(module, "PARTIAL", False)
    for need, identity in _resolved(module.REQUIRES, smoke).items():
        stopping.look()
        record = runs.find(runs_dir, identity)
        if record is not None:
            record.check()
            records[need] = record
            recorded.append((identity.folder, record))
        elif need.optional or partial:
            missing.append((need.row, _command(identity, runs_dir)))
        else:
            wanted.append(_command(identity, runs_dir))
    if wanted:
        count = sum(not need.optional for need in module.REQUIRES)
        raise MissingRunsError(
            f"report {name}: {len(wanted)} of {count} runs missing or "
            f"unfinished; make them with: {'; '.join(wanted)} (or add "
            "--run_missing)"
        )
    same_data.refuse_other(records.values())
    return records, recorded, missing


def _all_recorded(
    runs_dir: str, smoke: bool
) -> list[tuple[RunIdentity, Record]]:
    """The runs of a folder that this version would name and make alike."""
    resolver = Resolver(smoke=smoke)
    recorded = []
    for record in runs.everything(runs_dir):
        stopping.look()
        run = record.run
        if run["smoke"] != smoke:
            continue
        try:
            identity = resolver.resolve(
                run["experiment"], run["changes"], run["seed"]
            )
        except SpecError:  # of an experiment that is not here
            continue
        if identity.digest == run["digest"]:
            recorded.append((identity, record))
    return recorded


def _commits(run: Mapping[str, Any]) -> str:
    """The commits that made a run: more than one if it was resumed."""
    words = []
    for facts in run.get("history") or [run]:
        git = facts.get("git") or {}
        commit = git.get("commit")
        word = "unknown" if commit is None else str(commit)[:12]
        words.append(word + (" (altered)" if git.get("dirty") else ""))
    return ", ".join(dict.fromkeys(words))


def _engine(run: Mapping[str, Any]) -> str | None:
    version = (run.get("versions") or {}).get(str(run.get("engine")))
    return " ".join(str(w) for w in (run.get("engine"), version) if w) or None


def _devices(run: Mapping[str, Any]) -> str | None:
    return ", ".join(str(d) for d in run.get("devices") or []) or None


def _data(run: Mapping[str, Any]) -> str:
    data = run["spec"]["data"]
    roles = (f"{r} {data[r]}" for r in ("train", "calibrate", "report"))
    return f"{data['name']}: {', '.join(roles)}"


def _provenance(recorded: _Recorded) -> Table:
    """One row for each run; it holds no time of building."""
    return declared.table(
        "provenance",
        "The records behind this page. “altered” marks a commit whose files "
        "were changed but not committed.",
        [(folder, record.run) for folder, record in recorded],
        ("run", lambda row: row[0], ""),
        ("seed", lambda row: row[1]["seed"], ""),
        ("commit", lambda row: _commits(row[1]), ""),
        ("engine", lambda row: _engine(row[1]), ""),
        ("devices", lambda row: _devices(row[1]), ""),
        ("steps", lambda row: row[1].get("steps", row[1].get("step")), ""),
        ("training, s", lambda row: row[1].get("train_seconds"), ".1f"),
        ("data", lambda row: _data(row[1]), ""),
    )


def _unchecked(recorded: _Recorded) -> str:
    """Says how many records are from before their files had digests."""
    count = sum(not record.checked for _, record in recorded)
    if not count:
        return ""
    return (
        f"Unchecked: {count} of {len(recorded)} records, which are from before "
        "the files of a record had digests."
    )


@contextlib.contextmanager
def _damage(name: str, recorded: _Recorded) -> Iterator[None]:
    """Says in one line that unchecked records cannot be shown.

    With records that were checked it is our defect, and a traceback.
    """
    try:
        yield
    except (ReportError, RunError):
        raise
    except Exception as error:
        unchecked = _unchecked(recorded)
        if not unchecked:
            raise
        raise ReportError(
            f"report {name} cannot be built of its records, one of which may "
            f"be damaged: {line(error)}. {unchecked}"
        ) from None


def _files(
    title: str,
    blocks: Sequence[Block],
    note: str,
    missing: list[Missing],
    provenance: Table | None,
    unchecked: str,
    *,
    svg: bool,
) -> dict[str, bytes]:
    """Renders everything before anything is written; the page comes last."""
    files: dict[str, bytes] = {}
    images: dict[str, bytes] = {}
    for block in blocks:
        stopping.look()
        if isinstance(block, Picture):
            images[block.name] = canvas.png(block.figure)
            files[f"{block.name}.png"] = images[block.name]
            stopping.look()
            files[f"{block.name}.pdf"] = canvas.pdf(block.figure)
            if svg:
                stopping.look()
                files[f"{block.name}.svg"] = canvas.svg(block.figure)
        elif isinstance(block, Table):
            files[f"{block.name}.md"] = tables.markdown(block).encode()
            files[f"{block.name}.csv"] = tables.comma_separated(block).encode()
            numbers = tables.comma_separated(block, numbers_only=True)
            files[f"{block.name}_numbers.csv"] = numbers.encode()
            files[f"{block.name}.tex"] = tables.latex(block).encode()
    page = html.page(
        title,
        blocks,
        images=images,
        note=note,
        missing=missing,
        provenance=provenance,
        unchecked=unchecked,
    )
    files["index.html"] = page.encode()
    return files


def _looking(blocks: Iterable[Block]) -> list[Block]:
    """Takes the blocks as they are made."""
    taken = []
    for block in blocks:
        taken.append(block)
        stopping.look()
    return taken


def blocks(
    name: str, module: Report | ModuleType, runs_dir: str
) -> list[Block]:
    """Builds a report from records and writes nothing.

    Args:
        name: the report's.
        module: the report.
        runs_dir: where records lie.

    Raises:
        ReportError, RunError: as ``build``.

    Source: ours.
    """
    records, recorded, _ = _find(name, module, runs_dir, False)
    with _damage(name, recorded):
        return _looking(module.build(records))


@canvas.own_style()
def build(
    name: str,
    module: Report | ModuleType,
    *,
    runs_dir: str,
    reports_dir: str,
    smoke: bool = False,
    readme: str | None = None,
    svg: bool = False,
) -> str:
    """Builds a report from records and writes its page and its files.

    Args:
        name: the report's name; its folder has it.
        module: the report.
        runs_dir: where records lie.
        reports_dir: where the report's folder goes.
        smoke: read the shrunk runs.
        readme: a file that gets the report's first table, between its two
            markers.
        svg: whether figures are written as SVG too.

    Returns:
        str: the path of the page.

    Raises:
        ReportError: a run is missing, or a file cannot be used; one line.
            Nothing is written then.
        RunError: a record cannot be read, or one of its files is not what
            was written.

    Source: ours.
    """
    records, recorded, missing = _find(name, module, runs_dir, smoke)
    marked = None if readme is None else splice.Marked(readme, name)
    blocks, files = _made(
        name,
        module.TITLE,
        lambda: module.build(records),
        recorded,
        _provenance(recorded) if recorded or module.REQUIRES else None,
        missing,
        is_smoke=smoke,
        svg=svg,
    )
    table = next((b for b in blocks if isinstance(b, Table)), None)
    if marked is not None and table is None:
        raise ReportError(f"report {name} has no table for {readme}")
    folder = Path(reports_dir) / name
    with _written(folder, files):
        if marked is not None and table is not None:
            marked.write(f"\n\n{tables.markdown(table)}\n")
    return str(folder / "index.html")


def _made(
    name: str,
    title: str,
    make: Callable[[], Iterable[Block]],
    recorded: _Recorded,
    provenance: Table | None,
    missing: list[Missing],
    *,
    is_smoke: bool,
    svg: bool,
) -> tuple[list[Block], dict[str, bytes]]:
    """Makes the blocks of a page and its files; nothing is written yet."""
    with _damage(name, recorded), stopping.doing(f"building report {name}"):
        blocks = _looking(make())
    with _damage(name, recorded):
        files = _files(
            title,
            blocks,
            _SMOKE_NOTE if is_smoke else "",
            missing,
            provenance,
            _unchecked(recorded),
            svg=svg,
        )
    return blocks, files


@canvas.own_style()
def build_of(
    name: str,
    title: str,
    make: Callable[[], Iterable[Block]],
    recorded: Sequence[tuple[str, Record]],
    *,
    reports_dir: str,
    svg: bool = False,
) -> str:
    """Builds a page of records that were found by their folders.

    Args:
        name: of the page's folder.
        title: its heading.
        make: makes its blocks.
        recorded: the records, each with the name of its folder.
        reports_dir: where the page's folder goes.
        svg: whether figures are written as SVG too.

    Returns:
        str: the path of the page.

    Raises:
        ReportError, RunError: see ``build``.

    Source: ours.
    """
    listed = list(recorded)
    for _, record in listed:
        record.check()
    is_smoke = any(record.run["smoke"] for _, record in listed)
    _, files = _made(
        name,
        title,
        make,
        listed,
        _provenance(listed),
        [],
        is_smoke=is_smoke,
        svg=svg,
    )
    folder = Path(reports_dir) / name
    with _written(folder, files):
        return str(folder / "index.html")


@contextlib.contextmanager
def _written(folder: Path, files: Mapping[str, bytes]) -> Iterator[None]:
    """Writes files, and within it more; says in one line that it cannot."""
    try:
        # What else stands in the folder is left alone.
        write = write_files if folder.exists() else write_folder
        write(folder, files)
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise
        raise ReportError(
            f"{error.filename or folder} cannot be written: {error.strerror}"
        ) from None


@canvas.own_style()
def write(
    folder: str, title: str, blocks: Sequence[Block], origin: Table
) -> str:
    """Writes a page of blocks that are of no run, and its files.

    Args:
        folder: where to.
        title: of the page.
        blocks: what it says.
        origin: where its numbers come from.

    Returns:
        str: the path of the page.

    Raises:
        ReportError: a file cannot be written; one line.

    Source: ours.
    """
    files = _files(title, blocks, "", [], origin, "", svg=False)
    path = Path(folder)
    with _written(path, files):
        return str(path / "index.html")
