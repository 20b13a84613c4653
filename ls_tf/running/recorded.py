"""A run that is named by its folder: what it is stands in its record."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ls_tf.records.record import RUN, Record, read_record
from ls_tf.records.runs import Path, RunError
from ls_tf.spec import (
    SpecError,
    Value,
    changes,
    digest,
    from_dict,
    override,
)
from ls_tf.spec.resolve import RunIdentity

_FLAG = "--run"


@dataclass(frozen=True)
class Found:
    """A recorded run.

    Attributes:
        folder: as it was named.
        runs_dir: the folder that its identity's folder is below.
        identity: the run, as it was recorded.
        record: of it.
    """

    folder: str
    runs_dir: str
    identity: RunIdentity
    record: Record


def of_folder(folder: str) -> Found:
    """Finds a run by its folder, wherever that lies.

    What the run's experiment says today is of no account. A teacher is looked
    for in ``Found.runs_dir``: where EXPERIMENT/CHANGES/seed=K lies, or beside
    a folder of another name.

    Args:
        folder: with ``run.json``.

    Returns:
        Found.

    Raises:
        RunError: there is no run, it is damaged, or its specification cannot
            be read by this version; one line.

    Source: ours.
    """
    path = Path(folder)
    record = read_record(path) if folder else None
    if record is None:
        raise RunError(
            f"{_FLAG}={folder}: wanted the folder of a run, there is no {RUN}"
        )
    run = record.run
    try:
        spec = from_dict(run["spec"])
    except SpecError as error:
        raise RunError(
            f"{path / RUN} is of another version of ls_tf: {error}"
        ) from None
    if digest(spec) != run["digest"]:
        raise RunError(
            f"{path / RUN} is damaged: its specification is not that of its "
            f"digest, {run['digest'][:12]}"
        )
    identity = RunIdentity(
        run["experiment"], spec, run["changes"], run["smoke"]
    )
    whole = path.resolve()
    if "/".join(whole.parts[-3:]) == identity.folder:
        # As it was given, where that is enough.
        root = path if len(path.parts) > 3 else whole
        return Found(folder, str(root.parents[2]), identity, record)
    placed = dataclasses.replace(identity, place=whole.name)
    return Found(folder, str(whole.parent), placed, record)


def refuse_other(
    found: Found,
    *,
    experiment: str | None,
    changed: Mapping[str, Value],
    seed: int | None,
    smoke: bool | None,
) -> None:
    """Refuses flags that mean another run than the one of the folder.

    Args:
        found: the run.
        experiment: as a flag says; None if none does, as of the others.
        changed: field -> value, as text.
        seed: of the run.
        smoke: whether the run is shrunk.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    identity = found.identity
    for flag, wanted, got in (
        ("--experiment", identity.experiment, experiment),
        ("--seed", identity.seed, seed),
        ("--smoke", identity.smoke, smoke),
    ):
        if got is not None and got != wanted:
            raise _contradiction(found, f"{flag}={got}", f"{flag}={wanted}")
    for path, value in changed.items():
        other = override(identity.spec, {path: value})
        if digest(other) != identity.digest:
            have = changes(identity.spec, other)
            words = ", ".join(f"{k}={v}" for k, v in have.items())
            raise _contradiction(found, f"{path}={value}", words or "another")


def _contradiction(found: Found, got: str, have: str) -> SpecError:
    return SpecError(
        f"{_FLAG}={found.folder}: {got} contradicts the run, which has {have}"
    )
