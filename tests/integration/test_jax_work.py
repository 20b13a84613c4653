"""On several devices each has an equal part of a step, and they meet rarely."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json
from ls_tf.running import assembly
from ls_tf.running.session import Machine, Session
from ls_tf.spec.resolve import resolve
from ls_tf.training.jax_engine import JaxEngine

spec = resolve("fc_digits", changed={
    "model.options.hidden": (512, 512), "train.global_batch_size": 96}).spec
session = Session(
    Machine(engine="jax", strategy="mirrored", logical_devices=2))
flops = []
for parts in (1, 3):
    for devices in (1, 2):
        engine = JaxEngine(
            spec, session.jax_devices[:devices], assembly.transform(spec),
            micro_batches=parts)
        engine.build([assembly.recipe(spec, data_dir=None)])
        engine.run(0, 1)
        (program,) = engine._programs.values()
        flops.append(program.cost_analysis()["flops"])
print(json.dumps(flops))
"""


@pytest.mark.slow
def test_a_device_computes_its_part_of_the_batch():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr
    whole, half, in_parts, half_in_parts = json.loads(done.stdout)
    # Beside the products, which are as many as there are examples, each device
    # makes the whole update. The first layer has no gradient of its input.
    layers = (64 * 512, 512 * 512, 512 * 10)
    products = 2 * 96 * (3 * sum(layers) - layers[0])
    assert whole == pytest.approx(products, rel=0.2)
    assert whole - half == pytest.approx(products / 2, rel=0.1)
    assert in_parts - half_in_parts == pytest.approx(products / 2, rel=0.1)


MEETINGS = """
import json, sys
sys.path.append("tests/integration")
import numpy as np
from engine_steps import prepare_data
from ls_tf.layers.batch_norm import BatchNorm
from ls_tf.running import assembly
from ls_tf.running.session import Machine, Session
from ls_tf.spec.resolve import resolve
from ls_tf.training.jax_engine import JaxEngine

session = Session(
    Machine(engine="jax", strategy="mirrored", logical_devices=2))

def trained(devices, *, seeds=1, **changes):
    specs = [resolve("resnet56_cifar10", changed={
        "data.train": "train[:64]", "data.report": "test[:16]",
        "seed": seed, "learning_rate": 0.001, "train.xla": False,
        "model.options.blocks": (1, 1), "model.options.widths": (4, 4),
        "train.global_batch_size": 8, **changes}).spec
        for seed in range(seeds)]
    engine = JaxEngine(
        specs[0], session.jax_devices[:devices], assembly.transform(specs[0]))
    engine.build([assembly.recipe(s, data_dir=None) for s in specs])
    logs = engine.run(0, 1)
    network = engine.networks[0]
    counts["norms"] = sum(
        isinstance(x, BatchNorm) for x in network.task.model.layers)
    *_, program = engine._programs.values()
    meetings = program.as_text().count(" all-reduce(")
    return {**network.state(), **logs[0]}, meetings

counts = {}
prepare_data(resolve("resnet56_cifar10").spec, None)
one, counts["one"] = trained(1)
for name, options in {
    "two": {},
    "remat": {"train.remat": True},
    "stack": {"train.xla": True, "seeds": 3},
}.items():
    two, counts[name] = trained(2, **options)
    assert one.keys() == two.keys()
    for key, value in one.items():
        np.testing.assert_allclose(
            two[key], value, rtol=0, atol=1e-4 * (1 + np.abs(value).max()),
            err_msg=f"{name}: {key}")
print(json.dumps(counts))
"""


@pytest.mark.slow
def test_devices_meet_twice_for_a_batch_normalization():
    done = subprocess.run(
        [sys.executable, "-c", MEETINGS],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    # Seven normalizations meet once forward and once back, a recomputed one
    # forward twice; beside them the gradients, sums and counts of the loss.
    # Keras's operations meet 25 times.
    assert counts.pop("norms") == 7
    assert counts.pop("one") == 0
    assert counts.pop("remat") <= 3 * 7 + 3
    assert all(count <= 2 * 7 + 3 for count in counts.values()), counts
