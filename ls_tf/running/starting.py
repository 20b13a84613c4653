"""What runs start from before their first step: weights of others, if any."""

from collections.abc import Sequence

from ls_tf import streams
from ls_tf.records import runs
from ls_tf.spec.resolve import RunIdentity
from ls_tf.training import checkpoints, weights
from ls_tf.training.engine import Engine, Network
from ls_tf.training.weights import Start


def start_of(
    identities: Sequence[RunIdentity], engine: Engine, runs_dir: str
) -> Start:
    """Reads the weights that runs start from; of those that go on, no more.

    Args:
        identities: of runs that are trained together: all of them have
            checkpoints or none has, and they start from one file.
        engine: with their networks, built.
        runs_dir: where records lie.

    Returns:
        Start: empty for runs whose weights are drawn.

    Raises:
        CheckpointError: the file is missing or damaged.
        SpecError: it is of another network.

    Source: ours.
    """
    first = identities[0]
    model = first.spec.model
    if not model.weights:
        return weights.NOTHING
    if checkpoints.steps(runs.checkpoint_folder(runs_dir, first)):
        return weights.of_going_on(model)
    return weights.of_beginning(model, engine.networks[0].task.model)


def load(start: Start, networks: Sequence[Network], *, is_chief: bool) -> None:
    """Gives networks at step 0 the weights that they start from."""
    if not start.arrays:
        return
    for network in networks:
        start.load_into(network)
    if is_chief:
        streams.say(f"weights: {start.line()}")
