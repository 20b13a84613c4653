"""Runs that start from a file of weights, and runs that go on without it."""

import hashlib
import json

import numpy as np
import pytest
from command_line import arrays

pytestmark = pytest.mark.slow

SMALL = (
    "--experiment=fc_digits",
    "--set=model.options.hidden=16",
    "--set=train.steps=20",
)
# What one step at such a rate changes is less than a weight's last bit.
STILL = ("--set=learning_rate=1e-30", "--set=train.ema_momentum=0.9")


def record(folder):
    return json.loads((folder / "run.json").read_text())


def weights_of(folder):
    found = arrays(folder)
    return {k: v for k, v in found.items() if k.startswith("model/")}


@pytest.fixture(scope="module")
def first(shared_line):
    """The weights of a trained network, as its checkpoint has them."""
    shared_line(*SMALL)
    folder = shared_line.folder_of(*SMALL)
    (file,) = folder.glob("checkpoints/*/arrays.safetensors")
    return weights_of(folder), file.read_bytes()


@pytest.fixture
def started(line, first):
    """The flags of a run that starts from a copy of that file."""
    file = line.folder / "first.safetensors"
    file.write_bytes(first[1])
    return (*SMALL, *STILL, f"--set=model.weights={file}"), file


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_run_starts_from_the_weights(line, first, started, engine):
    flags, file = started
    flags = (*flags, f"--engine={engine}")
    done = line(*flags)
    sha256 = hashlib.sha256(first[1]).hexdigest()
    assert f"ls_tf: weights: {file}, SHA-256 {sha256[:12]}\n" in done.stderr
    folder = line.folder_of(*flags)
    found = weights_of(folder)
    assert found.keys() == first[0].keys()
    for name, value in first[0].items():
        np.testing.assert_array_equal(found[name], value)
    # The weight average started from them too.
    averages = [v for k, v in sorted(arrays(folder).items()) if "average" in k]
    ours = [v for _, v in sorted(first[0].items())]
    for average, value in zip(averages, ours, strict=True):
        np.testing.assert_allclose(average, value, rtol=1e-6)
    weights = {"file": str(file), "sha256": sha256}
    assert record(folder)["weights"] == weights
    assert record(folder)["history"][0]["weights"] == weights


def test_a_run_goes_on_without_its_file(line, started):
    flags, file = started
    line(*flags, "--mode=train")
    file.unlink()
    done = line(*flags)
    assert "ls_tf: weights" not in done.stderr
    run = record(line.folder_of(*flags))
    assert run["outcome"] == "finished"
    assert run["weights"]["file"] == str(file)
    assert ["weights" in process for process in run["history"]] == [True, False]


def test_another_content_under_the_same_name_is_refused(line, started):
    flags, file = started
    line(*flags, "--mode=train")
    folder = line.folder_of(*flags)
    before = (folder / "run.json").read_bytes()
    digest = record(folder)["weights"]["sha256"]
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    now = hashlib.sha256(changed).hexdigest()
    done = line(*flags, code=2)
    assert done.stderr.splitlines()[-1].endswith(
        f"{folder} began from other weights: {file} had SHA-256 "
        f"{digest[:12]}, has {now[:12]} now; use another --runs_dir, or give "
        "the file another name"
    )
    assert (folder / "run.json").read_bytes() == before
    # Without a checkpoint it would begin anew, under the other's name.
    for checkpoint in folder.glob("checkpoints/*"):
        for part in checkpoint.iterdir():
            part.unlink()
        checkpoint.rmdir()
    done = line(*flags, code=2)
    assert "began from other weights" in done.stderr.splitlines()[-1]
    assert (folder / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "--set=model.options.hidden=17",
            "wanted shape (64, 17), got (64, 16)",
        ),
        ("--set=model.options.hidden=16,16", "has no 'hidden_2/kernel'"),
        ("--set=model.weights=none.npz", "none.npz cannot be read: No such"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_and_writes_nothing(
    line, started, change, says
):
    done = line(*started[0], change, code=2)
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not line.runs.exists()


def test_every_network_of_a_stack_starts_from_them(line, first, started):
    flags, _ = started
    line(*flags, "--engine=jax", "--stack=seed:0..1")
    for seed in (0, 1):
        found = weights_of(line.folder_of(*flags, f"--seed={seed}"))
        for name, value in first[0].items():
            np.testing.assert_array_equal(found[name], value)
