"""Whether all processes of a run do the same run."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_tf.records import runs
from ls_tf.running import provenance
from ls_tf.running.machine import Machine
from ls_tf.running.peers import Peers
from ls_tf.spec import SpecError, as_dict
from ls_tf.spec.resolve import RunIdentity

if TYPE_CHECKING:
    from ls_tf.protocols import Task

About = dict[str, Any]
_SOURCE = "source of "
_STEPS = 3  # whose plans stand for the order of the data


def about_runs(
    identities: Sequence[RunIdentity], machine: Machine, mode: str
) -> About:
    """What a process is about to do, before anything is built.

    Args:
        identities: the runs that are trained together.
        machine: how.
        mode: see ``execute.run``.

    Returns:
        dict: field -> value, the telling ones first; JSON.

    Raises:
        CheckpointError: there are checkpoints, but none is whole.

    Source: ours.
    """
    first = identities[0]
    newest = newest_step(identities, machine.runs_dir)
    return {
        "mode": mode,
        "engine": machine.engine,
        "experiment": first.experiment,
        **_flat("", as_dict(first.spec)),
        "runs": {run.folder: run.digest[:12] for run in identities},
        "start step": newest,
        "micro_batches": machine.micro_batches,
        "deterministic": machine.deterministic,
        "logical_devices": machine.logical_devices,
        **about_code(machine.engine, first.spec.task),
    }


def about_code(engine: str, task: str) -> About:
    """Which code a process runs, and with which libraries.

    Args:
        engine: tensorflow or jax.
        task: of the experiment.

    Returns:
        dict: field -> value; JSON.

    Source: ours.
    """
    return {
        **{
            # 3.11 of 3.11.7: what a patch mends changes no number.
            f"version of {name}": version.rpartition(".")[0]
            if name == "python"
            else version
            for name, version in provenance.versions(engine, task).items()
        },
        # Of all modules: which ones will be loaded is not known yet.
        **_sources({**provenance.files(), **provenance.sources()}),
        **{f"git {name}": value for name, value in provenance.git().items()},
    }


def newest_step(identities: Sequence[RunIdentity], runs_dir: str) -> int:
    """The step that runs go on from together; 0 without a checkpoint."""
    from ls_tf.training import checkpoints

    newest = checkpoints.latest_common(
        [runs.checkpoint_folder(runs_dir, run) for run in identities]
    )
    return newest[0].step if newest[0] is not None else 0


def about_data(tasks: Sequence["Task"]) -> About:
    """The data of a run as it was built, and the code that built it.

    Args:
        tasks: of the runs that are trained together.

    Returns:
        dict: field -> SHA-256 of an array, number of steps, source.

    Source: ours.
    """
    from ls_tf.records.arrays import digest

    about: About = {}
    for number, task in enumerate(tasks):
        # What is one object in all tasks is looked at once.
        arrays = {
            f"data '{name}'": array
            for name, array in task.resident.items()
            if not number or task.resident[name] is not tasks[0].resident[name]
        }
        for step in range(min(_STEPS, task.total_steps)):
            plan = task.plan(step, 1)
            arrays |= {f"{k} of batch {step}": v for k, v in plan.items()}
        run = f" of run {number}" if number else ""
        if not task.resident:  # its files stand for what is streamed
            about |= {
                f"files of {split}{run}": used.sha256[:12]
                for split, used in task.data_used.items()
            }
            about |= {
                f"records of {split}{run}": used.sampled_sha256[:12]
                for split, used in task.data_used.items()
            }
        about |= {k + run: digest(v)[:12] for k, v in arrays.items()}
        about[f"steps{run}"] = task.total_steps
    return {**about, **_sources(provenance.sources())}


def _sources(digests: Mapping[str, str]) -> About:
    return {f"{_SOURCE}{k}": value[:12] for k, value in digests.items()}


def _flat(prefix: str, value: Any) -> About:
    """Fields of a specification by their path."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    flat: About = {}
    for name, inner in value.items():
        flat |= _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    return flat


def difference(mine: About, theirs: About) -> str | None:
    """The first field in which two processes differ; None if none."""
    for name in [*mine, *(n for n in theirs if n not in mine)]:
        ours, other = mine.get(name), theirs.get(name)
        if ours == other:
            continue
        # A module that one has not loaded, a repository that one has not.
        is_known = ours is not None and other is not None
        if name.startswith((_SOURCE, "git ")) and not is_known:
            continue
        return f"{name}: {_short(other)} there, {_short(ours)} here"
    return None


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def compare(peers: Peers, about: Callable[[], Mapping[str, Any]]) -> About:
    """Refuses processes that do not do the same.

    Args:
        peers: those of this run.
        about: see ``about_runs`` and ``about_data``; not asked by a process
            that is alone.

    Returns:
        dict: what all say; empty for a process that is alone.

    Raises:
        SpecError: one line: the field, the worker, its value and ours; on
            every process.
        PeerError: one is lost.

    Source: ours.
    """

    def is_same(all_of: Sequence[About]) -> bool:
        return all(difference(all_of[0], a) is None for a in all_of[1:])

    if len(peers.addresses) == 1:
        return {}
    all_of = peers.gather(dict(about()), is_same)
    if is_same(all_of):
        return all_of[0]
    for index, theirs in enumerate(all_of):
        if told := difference(all_of[peers.index], theirs):
            raise SpecError(
                f"{peers.name(index)} does not do the same run: {told}"
            )
    raise SpecError("the other workers do not do the same run")
