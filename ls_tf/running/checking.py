"""What the training would refuse of a run, as far as that is seen at once."""

import sys
from collections.abc import Sequence

from ls_tf import stopping, streams
from ls_tf.running.machine import Machine
from ls_tf.spec import EvaluatorSpec, ExperimentSpec, registry
from ls_tf.spec.resolve import RunIdentity

# Changed fields of whose values the parts themselves are the judges.
_OF_PARTS = ("model.", "optimizer.", "schedule.", "loss.", "evaluators.")
_STEPS = 10**9  # of a run whose length only its data says


def check(identity: RunIdentity, machine: Machine) -> None:
    """Refuses a run that would be refused when it is built.

    A run as its experiment declares it is not looked at, so that it is known
    without a library; the same functions are called as of a training.

    Args:
        identity: the run.
        machine: whose engine builds its parts.

    Raises:
        SpecError, DataError: one line.

    Source: ours.
    """
    changed = identity.changes
    if any(path.startswith("teacher.") for path in changed):
        from ls_tf.running import teaching

        teaching.run_of(identity)
    if any(path.startswith("data.") for path in changed):
        _check_data(identity)
    if any(path.startswith(_OF_PARTS) for path in changed):
        _check_parts(identity, machine)


def _check_data(identity: RunIdentity) -> None:
    from ls_tf.pipeline import class_subset, contract, label_noise

    spec = identity.spec
    data, whole = spec.data, registry.get("ls_tf.data", spec.data.name).INFO
    if not whole.sizes:  # the user's own files say that
        return
    for split in (data.train, data.calibrate, data.report):
        contract.parse_split(split, whole.sizes)
    if spec.task != "translation":
        kept = class_subset.info(data, whole)
        label_noise.LabelNoise(data, kept, spec.seed)


def check_data(
    identities: Sequence[RunIdentity],
    data_dir: str | None,
    *,
    trains: bool = True,
) -> None:
    """Refuses data of the user's own, before an engine is loaded.

    Images that are held in memory are read here, and not again when the runs
    are built. Of a corpus and of a set of TFDS only what costs no time is
    looked at.

    Args:
        identities: the runs.
        data_dir: where TFDS data lies, or a prepared file.
        trains: whether they are to be trained; else pictures in files of their
            own are not decoded, see ``own.glance``.

    Raises:
        SpecError, DataError: one line.

    Source: ours.
    """
    named = [i.spec.data for i in identities if i.spec.data.source]
    for data in dict.fromkeys(named):
        module = registry.get("ls_tf.data", data.name, "data set")
        from ls_tf.pipeline import contract, own, prepared

        is_prepared = data_dir is not None and prepared.is_prepared(data_dir)
        splits = (data.train, data.calibrate, data.report)
        if hasattr(module, "check") and not is_prepared:
            module.check(data.source, splits, data_dir=data_dir)
        elif hasattr(module, "opened"):
            if trains:
                streams.say(f"reading {own.told(data)}")
            with stopping.doing("reading data"):
                sizes = (
                    own.of(data, data_dir).INFO.sizes
                    if trains
                    else own.glance(data, data_dir)
                )
            for split in splits if sizes else ():
                contract.parse_split(split, sizes)


def _check_parts(identity: RunIdentity, machine: Machine) -> None:
    from ls_tf.running import session

    session.check(Machine(engine=machine.engine))
    session.refuse_other_backend(machine.engine)
    if "keras" not in sys.modules:
        streams.say(session.loading(machine.engine))
    with streams.quiet(), stopping.importing("Keras"):
        session.start_keras(machine.engine, bare=True)
        from ls_tf.running import assembly

    spec = identity.spec
    with assembly.one_line():
        assembly.optimizer(spec, spec.train.steps or _STEPS)
        for evaluator in spec.evaluators:
            _check_evaluator(evaluator)
        # Of the user's own data the files say how many classes there are.
        is_known = registry.get("ls_tf.data", spec.data.name).INFO.sizes
        if spec.task != "translation" and is_known:
            from ls_tf.tasks import classification

            classification.build_model(spec)
        _check_loss(spec)


def _check_loss(spec: ExperimentSpec) -> None:
    if spec.loss is None:
        return
    from ls_tf.objective import loss as objective
    from ls_tf.pipeline import class_subset

    loss = objective.build(spec, spec.loss)
    whole = registry.get("ls_tf.data", spec.data.name).INFO
    if spec.task == "translation":
        objective.check_classes(loss, spec.data.vocabulary_size)
    elif whole.sizes:
        classes = class_subset.info(spec.data, whole).num_classes
        objective.check_classes(loss, classes)


def _check_evaluator(evaluator: EvaluatorSpec) -> None:
    part = registry.get("ls_tf.evaluators", evaluator.name).Evaluator
    part(role=evaluator.role, **evaluator.options)
