"""Takes records that were made elsewhere into a runs folder."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as LocalPath

from etils.epath import Path

from ls_tf import stopping
from ls_tf.bundles import archive, making
from ls_tf.records import local, locks, runs
from ls_tf.records.files import clear, write_folder
from ls_tf.records.record import Record, read_record
from ls_tf.records.runs import RunError
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import RunIdentity, resolve
from ls_tf.training import checkpoints, translations

# What a record's folder holds that is the record's, or its owner's.
_OF_RECORD = (
    *making.RECORD,
    *("measurements", "checkpoints", "tensorboard", "lock"),
)


@dataclass(frozen=True)
class _Found:
    """A record that was made elsewhere."""

    identity: RunIdentity
    record: Record

    @property
    def reached(self) -> tuple[bool, int]:
        """How far it is, to be compared."""
        return _reached(self.record)


def _reached(record: Record) -> tuple[bool, int]:
    return record.is_finished, int(record.run.get("step", 0))


def merge(folder: str | os.PathLike[str], runs_dir: str) -> list[str]:
    """Takes the records below a folder into a runs folder.

    All are looked at before the first one is taken. A record that is here
    already, file for file, is passed over.

    Args:
        folder: an unpacked bundle, a runs folder, or one run's.
        runs_dir: where they go.

    Returns:
        list: the folders of the runs that were taken, below ``runs_dir``.

    Raises:
        SpecError, RunError, CheckpointError: the folder holds no records, or
            one that is damaged, no further than what is here, held by a
            process, of another digest or of other data; one line, nothing is
            changed.

    Source: ours.
    """
    root = Path(folder)
    if not root.is_dir():
        raise SpecError(f"--from={folder}: there is no such folder")
    listed = root / archive.LIST
    if listed.exists():
        archive.parse(listed.read_bytes(), listed)
        root = root / archive.RUNS
    found = [_read(path) for path in _paths(root)]
    if not found:
        raise SpecError(f"--from={folder}: no records of runs are there")
    _refuse_two_of_one(found)
    wanted = [f for f in found if _is_newer(f, runs_dir)]
    made = [_translations(one) for one in found]
    for one in wanted:
        stopping.look()
        _take(one, runs_dir)
    for one, translated in zip(found, made, strict=True):
        _take_translations(one, translated, runs_dir)
    return [one.identity.folder for one in wanted]


def _paths(root: Path) -> Iterator[Path]:
    """The run directories below a folder."""
    for folder, below, files in os.walk(LocalPath(root)):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if "run.json" in files:
            below.clear()
            yield Path(folder)


def _refuse_two_of_one(found: Sequence[_Found]) -> None:
    """Refuses copies of a run, of which the last would be what is kept."""
    paths: dict[str, Path] = {}
    for one in found:
        folder, path = one.identity.folder, one.record.path
        if folder in paths:
            raise RunError(
                f"{paths[folder]} and {path} are both of "
                f"{one.identity.title}; name one of them with --from"
            )
        paths[folder] = path


def _read(path: Path) -> _Found:
    record = read_record(path)
    if record is None:
        raise RunError(f"{path} has no record any more")
    record.check()
    run = record.run
    try:
        identity = resolve(
            run["experiment"],
            changed=run["changes"],
            seed=run["seed"],
            smoke=run["smoke"],
        )
    except (SpecError, KeyError, TypeError) as error:
        raise RunError(f"{path} is a run of another program: {error}") from None
    if identity.digest != run["digest"]:
        raise RunError(
            f"{path} has digest {run['digest'][:12]}; wanted "
            f"{identity.digest[:12]}, that of {identity.title} here"
        )
    if (path / "lock").exists() and not locks.is_abandoned(path / "lock"):
        raise RunError(f"{path} cannot be taken: {locks.held(path / 'lock')}")
    folder = path / "checkpoints"
    wanted = set(_kept(folder))
    if not record.is_finished:  # it cannot go on without that of its step
        wanted |= {int(run.get("step", 0))} - {0}
    for step in sorted(wanted):
        checkpoints.read(folder, step)
    return _Found(identity, record)


def _kept(folder: Path) -> list[int]:
    """The steps of the checkpoints that are taken with a record."""
    return checkpoints.steps(folder)[-checkpoints.KEPT :]


def _is_newer(found: _Found, runs_dir: str) -> bool:
    """Whether a record is to be taken; refuses one that must not be."""
    runs.refuse(runs_dir, found.identity)
    return _is_further(found, Path(runs_dir) / found.identity.folder)


def _is_further(found: _Found, path: Path) -> bool:
    """Whether a record is to take the place of what a folder has, if any.

    Raises:
        RunError: it is no further, or of other data.
    """
    present = read_record(path)
    if present is None:
        return True
    if making.record_files(path) == making.record_files(found.record.path):
        return False
    _refuse_other_data(found, present)
    if found.reached <= _reached(present):
        raise RunError(
            f"{found.record.path} is no further than what is in {path}: "
            f"{_words(found.record)}, there {_words(present)}; nothing is taken"
        )
    return True


def _words(record: Record) -> str:
    return f"{record.run.get('outcome')} at step {_reached(record)[1]}"


def _refuse_other_data(found: _Found, present: Record) -> None:
    mine, theirs = present.run.get("data", {}), found.record.run.get("data", {})
    for split in mine.keys() & theirs.keys():
        here, there = (d[split].get("sha256") for d in (mine, theirs))
        if here and there and here != there:
            raise RunError(
                f"{found.record.path} was trained on other data ({split}: "
                f"SHA-256 {there[:12]}, here {here[:12]}); nothing is taken"
            )


def _take(found: _Found, runs_dir: str) -> None:
    """Puts a record in the place of what is there, whole or not at all."""
    source = found.record.path
    # A link to a folder on another disk stays one.
    path = local.target(Path(runs_dir) / found.identity.folder)
    contents = making.record_files(source)
    for step in _kept(source / "checkpoints"):
        contents |= making.checkpoint_files(source, step)
    with runs.refusals(path), locks.locked(path):
        clear(path)
        # Somebody may have trained or merged since it was looked at.
        if _is_further(found, path):
            # The curves of the steps before stay, and what is no record's.
            contents = _others(path) | _events(source) | contents
            making.refuse_changed(found.record)
            write_folder(path, contents)


def _others(path: Path) -> dict[str, bytes]:
    """What a run's folder holds beside the record: name -> content."""
    found = _events(path)
    for entry in path.iterdir():
        if entry.name in _OF_RECORD or entry.name.startswith("."):
            continue
        for file in _files(entry):
            found[str(file.relative_to(path))] = file.read_bytes()
    return found


def _files(entry: Path) -> Iterator[Path]:
    """A file itself, or those of a folder; no folder behind a link of it."""
    if local.is_file(entry):
        yield entry
    elif entry.is_dir():
        for below in entry.iterdir():
            if not (local.is_link(below) and below.is_dir()):
                yield from _files(below)


def _events(path: Path) -> dict[str, bytes]:
    """TensorBoard's files of a run; folders there are somebody else's."""
    events = path / "tensorboard"
    return {
        f"{events.name}/{file.name}": file.read_bytes()
        for file in (events.iterdir() if events.is_dir() else ())
        if local.is_file(file)
    }


def _translations(found: _Found) -> dict[str, dict[str, bytes]]:
    """What a teacher has translated elsewhere: folder -> name -> content."""
    made = found.record.path / translations.FOLDER
    folders = sorted(made.iterdir()) if made.is_dir() else ()
    contents = {folder.name: translations.files(folder) for folder in folders}
    return {name: files for name, files in contents.items() if files}


def _take_translations(
    found: _Found, made: dict[str, dict[str, bytes]], runs_dir: str
) -> None:
    """Takes translations that are not here.

    The records of their students say which ones they learnt from.
    """
    below = Path(runs_dir) / found.identity.folder / translations.FOLDER
    for name, contents in made.items():
        if not (below / name).exists():
            with runs.refusals(below / name):
                write_folder(below / name, contents)
