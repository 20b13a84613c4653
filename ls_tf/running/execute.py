"""Carries out runs: built, opened, restored, trained, finished.

A run is trained alone, or side by side with others of its kind as one stack;
everything here takes the list of the runs that are trained together.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_tf import stopping, streams
from ls_tf.records import runs
from ls_tf.records.runs import Record, RunError
from ls_tf.running import agreement, stack, teaching
from ls_tf.running.session import Session
from ls_tf.running.teaching import MissingRunError
from ls_tf.spec.resolve import RunIdentity

if TYPE_CHECKING:
    from ls_tf.protocols import View
    from ls_tf.running.run import Run
    from ls_tf.training.engine import Engine


class NonFiniteLossError(Exception):
    """The loss is not a number any more; the message is one line."""


def needed(identity: RunIdentity) -> list[RunIdentity]:
    """A run and the teachers before it, in the order to train them.

    Raises:
        SpecError: a teacher has other classes.
    """
    teacher = teaching.run_of(identity)
    return [*(needed(teacher) if teacher else []), identity]


def record_of(identity: RunIdentity, runs_dir: str) -> Record:
    """The finished record of a run.

    Raises:
        MissingRunError: there is none; says how to make it.
    """
    record = runs.find(runs_dir, identity)
    if record is None:
        raise MissingRunError(
            f"run {identity.title} is missing; make it with: "
            f"{identity.command()}"
        )
    return record


def refuse_without_network(identity: RunIdentity, runs_dir: str) -> None:
    """Refuses a run of which no weights are kept, before an engine is loaded.

    Raises:
        MissingRunError: it is not finished, or has no checkpoint; one line.
    """
    from ls_tf.training import checkpoints

    record_of(identity, runs_dir)
    if not checkpoints.steps(runs.checkpoint_folder(runs_dir, identity)):
        raise _without_checkpoint(identity)


def _without_checkpoint(identity: RunIdentity) -> MissingRunError:
    return MissingRunError(
        f"the record of run {identity.title} has no checkpoint; make it "
        f"with: {identity.command()}"
    )


def run(
    identities: Sequence[RunIdentity],
    session: Session,
    *,
    mode: str = "train_and_eval",
    title: str = "",
) -> None:
    """Trains and measures one run, or several together, from where they stand.

    Args:
        identities: the run; or those of a stack, see ``stack.check``.
        session: the process's devices.
        mode: "train_and_eval", "train" or "eval".
        title: what the progress line says; default: the run's title.

    Raises:
        SpecError, RunError, DataError, CheckpointError: bad input; one line.
        StoppedError: a signal came; the state is saved.
        NonFiniteLossError: with step, example ids and last finite loss; the
            other runs of a stack are finished.
        OSError: the disk is full; the last checkpoint is intact.
        PeerError: another process is lost; the last checkpoint is intact.

    Source: ours.
    """
    stack.check(identities, session.machine.engine, session.place.count)
    runs_dir = session.machine.runs_dir
    for identity in identities:
        runs.refuse(runs_dir, identity, is_writer=session.worker[0] == 0)
    with stopping.listening():
        for group in _resumable(identities, runs_dir):
            _run_together(group, session, mode, title or _title(group))


def _title(group: Sequence[RunIdentity]) -> str:
    first = group[0]
    if len(group) == 1:
        return first.title
    return f"{first.experiment}, {len(group)} networks"


def _resumable(
    identities: Sequence[RunIdentity], runs_dir: str
) -> list[list[RunIdentity]]:
    """Parts a stack into groups that can go on from one common step.

    A stack that was killed while it saved has members a checkpoint apart, but
    each keeps two; members that were added later have none.
    """
    from ls_tf.training import checkpoints

    if len(identities) == 1:
        return [list(identities)]
    steps = {
        identity.folder: set(
            checkpoints.steps(runs.checkpoint_folder(runs_dir, identity))
        )
        for identity in identities
    }
    fresh = [i for i in identities if not steps[i.folder]]
    begun = [i for i in identities if steps[i.folder]]
    groups = [begun]
    if begun and not set.intersection(*(steps[i.folder] for i in begun)):
        groups = [[identity] for identity in begun]
    return [group for group in (*groups, fresh) if group]


def _run_together(
    identities: Sequence[RunIdentity], session: Session, mode: str, title: str
) -> None:
    with stopping.importing("Keras"):
        import keras

        from ls_tf.running import assembly, loop, starting
        from ls_tf.running.run import Run

    session.refuse_to_start()
    began = time.monotonic()
    keras.utils.clear_session()
    machine, peers = session.machine, session.peers
    agreed = agreement.compare(
        peers, lambda: agreement.about_runs(identities, machine, mode)
    )
    together: list[Run] = []
    with contextlib.ExitStack() as records:

        def at_loss(reason: str) -> None:
            with records.pop_all():
                for member in together:
                    member.lose(reason)

        with peers.watched(at_loss):
            engine = assembly.build(identities, session)
            start = starting.start_of(identities, engine, machine.runs_dir)
            agreement.compare(
                peers, lambda: {**start.about(), **_data_of(engine)}
            )
            together += [
                Run(identity, network, machine.runs_dir)
                for identity, network in zip(
                    identities, engine.networks, strict=True
                )
            ]
            if engine.is_chief:
                facts = {
                    **session.facts(engine, identities[0].spec),
                    **start.facts(),
                }
                for member in together:
                    records.enter_context(member.opened(facts))
            if not _restore(together):
                starting.load(start, engine.networks, is_chief=engine.is_chief)
            _refuse_other_start(together[0], agreed)
            if mode == "eval":
                _refuse_unfinished(together[0])
            for member in together:
                member.refuse_other_data()
            if engine.is_chief:
                for line in (
                    *session.lines(engine, identities[0].spec),
                    *_resumed(together[0]),
                ):
                    streams.say(line)
            for member in together:
                member.begin()
            session.started(began, loop.train(engine, together, title))
            for member in together:
                member.finish(mode)
    failures = [member for member in together if member.failure]
    if failures:
        raise NonFiniteLossError(
            "; ".join(
                f"{member.identity.title}: {member.failure}"
                if len(together) > 1
                else member.failure
                for member in failures
            )
        )


def _restore(together: Sequence["Run"]) -> bool:
    """Sets all networks to the newest step that all have, if there is one."""
    from ls_tf.training import checkpoints

    folders = [member.checkpoint_folder for member in together]
    newest = (
        [checkpoints.latest(folders[0])]
        if len(together) == 1
        else checkpoints.latest_common(folders)
    )
    for member, checkpoint in zip(together, newest, strict=True):
        member.restore(checkpoint)
    return newest[0] is not None


def _resumed(member: "Run") -> list[str]:
    """Says where a run goes on that was begun before; all of a stack do."""
    total = member.task.total_steps
    if not 0 < member.step < total:
        return []
    return [f"resumes from step {member.step:,} of {total:,}"]


def _data_of(engine: "Engine") -> dict[str, Any]:
    return agreement.about_data([network.task for network in engine.networks])


def _refuse_other_start(member: "Run", agreed: Mapping[str, Any]) -> None:
    """Refuses a step that is not the one that the processes agreed on."""
    if member.step != agreed.get("start step", member.step):
        raise RunError(
            f"run {member.identity.title}: the checkpoints changed while the "
            f"workers met: wanted step {agreed['start step']}, got "
            f"{member.step}; give the command again"
        )


def _refuse_unfinished(member: "Run") -> None:
    total = member.task.total_steps
    if member.step < total:
        raise MissingRunError(
            f"run {member.identity.title} is at step {member.step} of {total}; "
            f"finish it with: {member.identity.command()}"
        )


@contextlib.contextmanager
def trained(identity: RunIdentity, session: Session) -> Iterator["View"]:
    """A finished run's network, ready to be measured or used.

    Args:
        identity: the run; it must be finished.
        session: the process's devices.

    Yields:
        ``Classifier`` or ``Translator``, as its task says.

    Raises:
        MissingRunError: the run is not finished, or has no checkpoint.
    """
    with stopping.importing("Keras"):
        import keras

        from ls_tf.pipeline import usage
        from ls_tf.running import assembly
        from ls_tf.running.run import Run

    record = record_of(identity, session.machine.runs_dir)
    keras.utils.clear_session()
    engine = assembly.build([identity], session)
    (network,) = engine.networks
    usage.refuse_other(
        identity.title, record.run.get("data", {}), network.task.data_used
    )
    finished = Run(identity, network, session.machine.runs_dir)
    _restore([finished])
    if not finished.is_over:
        raise _without_checkpoint(identity)
    with network.measuring():
        yield finished.task.view(network)
