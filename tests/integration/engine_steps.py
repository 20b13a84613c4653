"""A program for tests: some steps of an experiment on made-up data.

Arguments: engine, logical devices, micro-batches, experiment, changes as
JSON, steps, output file. Beside fields, the changes may name another ``model``
with all its options, and the ``image_shape`` of the data.
"""

import dataclasses
import json
import sys

import numpy as np

from ls_tf.running import assembly
from ls_tf.running.session import Machine, Session
from ls_tf.spec import Part, registry
from ls_tf.spec.resolve import resolve
from ls_tf.spec.values import frozen


def prepare_data(spec, shape):
    """Makes the data set one of random images."""
    if spec.task == "translation":  # its sentences are made by the program
        return
    module = registry.get("ls_tf.data", spec.data.name)
    if shape is not None:
        module.INFO = dataclasses.replace(module.INFO, image_shape=shape)
    info = module.INFO

    def load(split, *, data_dir):
        rng = np.random.default_rng(0)
        return {
            "image": rng.integers(0, 256, (320, *info.image_shape), np.uint8),
            "label": rng.integers(0, info.num_classes, 320, np.int32),
        }

    module.load = load


def main(engine, devices, parts, experiment, changes, steps, out):
    if engine == "jax":
        # Half of the time is the compiler's; what users get of it is compared
        # in test_engines.
        import jax

        jax.config.update("jax_disable_most_optimizations", True)
    changes = json.loads(changes)
    model, shape = changes.pop("model", None), changes.pop("image_shape", None)
    spec = resolve(experiment, changed=changes).spec
    if model is not None:
        name = model.pop("name")
        options = {k: frozen(v) for k, v in model.items()}
        spec = dataclasses.replace(spec, model=Part(name, options))
    session = Session(
        Machine(
            engine=engine,
            strategy="mirrored" if int(devices) > 1 else "default",
            logical_devices=int(devices),
            micro_batches=int(parts),
        )
    )
    built = session.engine(spec, assembly.transform(spec))
    prepare_data(spec, shape and tuple(shape))
    built.build([assembly.recipe(spec, data_dir=None)])
    logs = built.run(0, int(steps))[0]
    network = built.networks[0]
    with network.measuring():
        view = network.task.view(network)
        if spec.task == "translation":
            found = view.statistics("report", (1.0,))
        else:
            found = view.outputs("report")
    arrays = {f"state/{k}": v for k, v in network.state().items()}
    arrays |= {f"log/{k}": v for k, v in logs.items()}
    arrays |= {f"output/{k}": np.asarray(v) for k, v in found.items()}
    batch = network.task.batch(
        network.task.resident,
        {k: v[0] for k, v in network.task.plan(3, 1).items()},
    )
    arrays |= {f"batch/{k}": np.asarray(v) for k, v in batch.items()}
    np.savez(out, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
