"""On several devices each has an equal part of a step's work."""

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
