"""All that shapes the traced programs of a run; see ``training/jax_traced``.

A program is text that the code makes of a specification and of the data. What
is named here and what JAX is given decide it; so a program that was traced for
the same is the same.
"""

from typing import TYPE_CHECKING, Any

from ls_tf.running import provenance
from ls_tf.running.machine import Machine
from ls_tf.spec import as_dict
from ls_tf.spec.resolve import RunIdentity

if TYPE_CHECKING:
    from ls_tf.protocols import Task


def about(
    identity: RunIdentity, machine: Machine, task: "Task"
) -> dict[str, Any] | None:
    """What shapes the programs of a run that is trained alone.

    Args:
        identity: the run.
        machine: how it is trained.
        task: of the run, as it was built.

    Returns:
        dict: JSON. None where it cannot be said: a teacher's weights may be
        inside its student's program, data that is streamed is not looked at as
        a whole, and of a package in an archive not all source can be.

    Source: ours.
    """
    from ls_tf.records.arrays import digest

    files = provenance.files()
    if identity.spec.teacher is not None or not (task.resident and files):
        return None
    used = task.data_used
    trained = used.get(identity.spec.data.train)
    # The code makes of what is trained on what is resident.
    resident = {} if trained and trained.sha256 else task.resident
    return {
        "run": identity.digest,
        "spec": as_dict(identity.spec),
        # Of all modules: a step may import one when it is traced.
        "sources": provenance.digest({**files, **provenance.sources()}),
        "versions": provenance.versions(machine.engine, identity.spec.task),
        "machine": [
            machine.engine,
            machine.strategy,
            machine.micro_batches,
            machine.deterministic,
            machine.logical_devices,
        ],
        # The arrays are arguments; numbers that are made of them may not be.
        "data": {name: digest(v) for name, v in resident.items()},
        "used": {k: str(usage) for k, usage in used.items()},
        "steps": task.total_steps,
        "numbers": dict(task.hyperparameters),
        "batches": [list(task.batch_sizes), task.steps_at_once],
    }
