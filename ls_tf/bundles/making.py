"""Makes a bundle: what some runs need on a machine of their own."""

import contextlib
import dataclasses
import errno
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath

from ls_tf import stopping, streams
from ls_tf.bundles import archive, working
from ls_tf.pipeline import loading, own, pictures, prepared, tfds
from ls_tf.pipeline.contract import DatasetInfo
from ls_tf.pipeline.text_pairs import TextInfo
from ls_tf.records import digests, local, metrics, runs
from ls_tf.records.arrays import decode_npz
from ls_tf.records.files import json_bytes, overwrite
from ls_tf.records.record import RUN, Record, read_record
from ls_tf.records.runs import RunError
from ls_tf.running import execute, provenance, sweep
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import RunIdentity, teacher_of
from ls_tf.training import checkpoints, translations

# A record's own files; its measurements lie in a folder of theirs.
RECORD = (RUN, metrics.NAME, digests.NAME)
_SCRIPT = (
    b"""#!/usr/bin/env python3
\"\"\"Trains the runs of this bundle; flags are passed on to each.\"\"\"

import sys

%b
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from ls_tf.bundles import working  # noqa: E402

sys.exit(working.main(FOLDER, sys.argv[1:]))
"""
    % archive.OLD_PYTHON
)
_PROGRAM = b"""\"\"\"The command line of ls_tf; see ``--help``.\"\"\"

import sys
from pathlib import Path

# With PYTHONSAFEPATH it would else be another ls_tf, or none.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from ls_tf import stopping, streams  # noqa: E402

if __name__ == "__main__":
    streams.open_closed()
    with stopping.listening(program=True, last=True):
        from ls_tf.cli import run

        run()
"""
_OF_TRANSLATION = {"sacrebleu": "sacrebleu", "sentencepiece": "sentencepiece"}
# A place that cannot be used, rather than a full disk.
_REFUSED = (
    *(errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG),
    *(errno.ENOENT, errno.ENOTDIR, errno.EPERM, errno.EROFS),
)
# These load data sets that are not the run's.
_OTHER_DATA = ("out_of_distribution", "linear_transfer")


@dataclasses.dataclass
class _Data:
    """The file of a data set within the bundle."""

    file: str
    content: bytes
    packed: str | None
    needs: dict[str, str]


def bundle(
    path: str | os.PathLike[str],
    wanted: Sequence[RunIdentity],
    *,
    runs_dir: str,
    data_dir: str | None,
) -> list[str]:
    """Writes everything that some runs need to one file.

    Args:
        path: the file; one that is there is replaced.
        wanted: the runs; their teachers are added.
        runs_dir: where their records lie, finished or begun.
        data_dir: where the data lies, see ``loading.load``.

    Returns:
        list: the titles of the runs that are to be trained.

    Raises:
        SpecError, RunError, DataError, CheckpointError: nothing is left to
            train, a run is held by a process, or its data cannot be carried;
            one line, nothing is written.

    Source: ours.
    """
    target = local.target(epath.Path(path))  # a link to a file stays one
    if target.is_dir():
        raise SpecError(f"--bundle={path}: wanted a file, got a directory")
    if target.exists() and local.is_special(target):
        raise SpecError(
            f"--bundle={path}: wanted a file, got a pipe, a socket or a device"
        )
    package = provenance.package()
    files: dict[str, bytes] = {
        archive.SCRIPT: _SCRIPT,
        "run_experiment.py": _PROGRAM,
        **package,
    }
    missing: list[RunIdentity] = []
    for (identity,) in sweep.plan(wanted, stacked=False):
        stopping.look()
        record = _record(runs_dir, identity)
        files |= {
            f"{archive.RUNS}/{identity.folder}/{name}": data
            for name, data in record.items()
        }
        if runs.find(runs_dir, identity) is None:
            missing.append(identity)
    if not missing:
        raise SpecError("--mode=bundle: all runs are finished already")
    for identity in missing:
        _refuse_weights_of_others(identity, runs_dir)
        files |= _translations(identity, runs_dir)
    files = _without_idle(files, missing)
    data = _data(missing, data_dir)
    files |= {(d.packed or d.file): d.content for d in data.values()}
    needs = dict(working.PACKAGES)
    for identity in missing:
        needs |= data[_key(identity)].needs
        if identity.spec.task == "translation":
            needs |= _OF_TRANSLATION
    about = {
        **provenance.git(whole=True),
        "package": provenance.of_files(package),
        "needs": needs,
        "runs": [_listed(identity, data) for identity in missing],
    }
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "bundle"
        # To compress takes longer than a stop may.
        stopping.aside(lambda: archive.write(made, files, about))
        with _written(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            overwrite(target, made.read_bytes())
    return [identity.title for identity in missing]


@contextlib.contextmanager
def _written(path: str | os.PathLike[str]) -> Iterator[None]:
    """Says in one line that a bundle cannot be written; not of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        raise SpecError(
            f"--bundle={path} cannot be written: {error.strerror}"
        ) from None


def _listed(identity: RunIdentity, data: Mapping[Any, _Data]) -> dict[str, Any]:
    mine = data[_key(identity)]
    return {
        "title": identity.title,
        "folder": identity.folder,
        "digest": identity.digest,
        "flags": identity.flags(),
        "data": mine.file,
        "packed": mine.packed,
    }


def _without_idle(
    files: dict[str, bytes], missing: Sequence[RunIdentity]
) -> dict[str, bytes]:
    """Leaves out records that no missing run goes on from or learns from."""
    used = {r.folder for m in missing for r in execute.needed(m)}
    start = f"{archive.RUNS}/"
    return {
        name: data
        for name, data in files.items()
        if not name.startswith(start)
        or any(name.startswith(f"{start}{folder}/") for folder in used)
    }


def _record(runs_dir: str, identity: RunIdentity) -> dict[str, bytes]:
    """The files of a record, with its newest checkpoint; none if it has none.

    Raises:
        RunError: damaged, of another digest, or a process works on it.
    """
    path = runs.Path(runs_dir) / identity.folder
    holder = runs.holder(runs_dir, identity)
    if holder is not None:
        raise RunError(f"run {identity.title} cannot be packed: {holder}")
    record = read_record(path)
    if record is None:
        return {}
    if record.run["digest"] != identity.digest:
        raise RunError(
            f"run directory {path} holds another specification; use another "
            "--runs_dir or move it away"
        )
    record.check()
    found = record_files(path)
    newest = checkpoints.latest(path / "checkpoints")
    if newest is not None:
        found |= checkpoint_files(path, newest.step)
    refuse_changed(record)
    return found


def refuse_changed(record: Record) -> None:
    """Refuses a record that a process has begun to change since it was read.

    To be called when its files have been read, which are of one moment then: a
    run that goes on says so in ``run.json`` first.

    Raises:
        RunError: one line.
    """
    present = read_record(record.path)
    if present is None or json_bytes(present.run) != json_bytes(record.run):
        raise RunError(
            f"{record.path} was changed by another process while it was read; "
            "give the command again when that has ended"
        )


def _refuse_weights_of_others(identity: RunIdentity, runs_dir: str) -> None:
    """Refuses a run that would look over there for the weights it starts from.

    Raises:
        SpecError: one line. What has a checkpoint needs the file no more.
    """
    weights = identity.spec.model.weights
    folder = runs.checkpoint_folder(runs_dir, identity)
    if weights and not checkpoints.steps(folder):
        raise SpecError(
            f"--mode=bundle: {identity.title} starts from "
            f"model.weights={weights}, which a bundle does not carry; train "
            "its first steps here"
        )


def _translations(identity: RunIdentity, runs_dir: str) -> dict[str, bytes]:
    """The finished translations that a run learns from; else made there.

    Raises:
        RunError: they are damaged.
    """
    how, teacher = identity.spec.teacher, teacher_of(identity)
    if how is None or teacher is None or not how.translates:
        return {}
    path = translations.folder(
        runs.Path(runs_dir) / teacher.folder,
        identity.spec,
        translations.search(how),
    )
    below = f"{archive.RUNS}/{teacher.folder}/{translations.FOLDER}"
    return {
        f"{below}/{path.name}/{name}": data
        for name, data in translations.files(path).items()
    }


def record_files(path: epath.Path) -> dict[str, bytes]:
    """What a record says: its own files and its measurements.

    Whatever else lies beside them is somebody else's.
    """
    names = [*RECORD]
    measured = path / "measurements"
    if measured.is_dir():
        names += [
            f"measurements/{file.name}"
            for file in sorted(measured.iterdir())
            if file.suffix in (".json", ".npz") and file.name[0] != "."
        ]
    return {
        n: (path / n).read_bytes() for n in names if local.is_file(path / n)
    }


def checkpoint_files(path: epath.Path, step: int) -> dict[str, bytes]:
    """The files of a run's checkpoint: name below the run -> content."""
    below = path / "checkpoints"
    return {
        f"{below.name}/{name}": data
        for name, data in checkpoints.files(below, step).items()
    }


# --- Data --------------------------------------------------------------------


def _key(identity: RunIdentity) -> tuple[Any, ...]:
    """What tells one prepared file from another."""
    data = identity.spec.data
    is_text = identity.spec.task == "translation"
    more = (data.train, data.vocabulary_size) if is_text else ()
    return (data.name, own.told(data), *more)


def _data(
    missing: Sequence[RunIdentity], data_dir: str | None
) -> dict[tuple[Any, ...], _Data]:
    splits: dict[tuple[Any, ...], list[str]] = {}
    first: dict[tuple[Any, ...], RunIdentity] = {}
    for identity in missing:
        other = [
            e.name
            for e in identity.spec.evaluators
            if e.name in _OTHER_DATA
            and dict(e.options) != {"others": ("noise",)}
        ]
        if other:
            raise SpecError(
                f"--mode=bundle: {identity.title}: evaluator {other[0]} wants "
                "other data sets, which a bundle does not carry"
            )
        data, key = identity.spec.data, _key(identity)
        first.setdefault(key, identity)
        splits.setdefault(key, []).extend(
            (data.train, data.calibrate, data.report)
        )
    made: dict[tuple[Any, ...], _Data] = {}
    for key, names in splits.items():
        suffix = f"-{len(made)}" if made else ""
        with stopping.doing("preparing data"):
            made[key] = _of_set(
                first[key],
                tuple(dict.fromkeys(names)),
                f"{archive.DATA}/{key[0]}{suffix}",
                data_dir,
            )
    return made


def _of_set(
    identity: RunIdentity, splits: tuple[str, ...], stem: str, data_dir: Any
) -> _Data:
    data = identity.spec.data
    module = own.of(data, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        file = epath.Path(folder) / "data.npz"
        loading.prepare(
            file,
            experiment=identity.experiment,
            module=module,
            splits=splits,
            data_dir=data_dir,
            source=data.source,
            vocabulary_size=data.vocabulary_size,
        )
        whole = file.read_bytes()
    small = _packed(module, decode_npz(whole), data_dir)
    if small is not None and len(small[0]) < len(whole):
        content, needs = small
        return _Data(f"{stem}.npz", content, f"{stem}.packed", needs)
    return _Data(f"{stem}.npz", whole, None, {})


def _packed(
    module: Any, arrays: Mapping[str, np.ndarray], data_dir: Any
) -> tuple[bytes, dict[str, str]] | None:
    """The pictures as they came, where they give the same pixels again."""
    info = module.INFO
    if (
        not isinstance(info, DatasetInfo)
        or isinstance(info, TextInfo)
        or info.tfds is None
        or hasattr(module, "load")
        or prepared.is_prepared(data_dir)
    ):
        return None
    encoded: dict[str, list[bytes]] = {}
    for name in arrays:
        base, _, key = name.partition("/")
        if key == "image":
            with streams.quiet():
                files = tfds.encoded(info, base, data_dir)
            if files is None:
                return None
            encoded[base] = files
    found = pictures.packed({k: arrays[k] for k in arrays}, encoded)
    if found is None:
        return None
    return pictures.archive(found), pictures.wants(found)
