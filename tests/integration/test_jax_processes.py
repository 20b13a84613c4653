"""Several JAX processes train one network: the weights of one process."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from command_line import (
    ENDLESS,
    Line,
    arrays,
    assert_equal_bits,
    beside_progress,
    ended,
    free_ports,
    lose_one,
    start_jax_processes,
    until_saved,
)

from ls_tf import exit_codes
from ls_tf.training import checkpoints

SMOKE = ("--experiment=fc_digits", "--smoke")
TRAINED = (
    "--experiment=fc_digits",
    # A rate at which rounding does not grow.
    "--set=learning_rate=0.1",
    "--set=train.steps=20",
    "--set=train.log_every_steps=5",
    "--set=train.checkpoint_every_steps=10",
    "--set=train.global_batch_size=48",
    "--set=train.ema_momentum=0.9",
    "--set=train.weight_decay=0.0001",
    "--set=train.clip_global_norm=1.0",
    "--set=model.options.hidden=32,32",
    "--set=model.options.dropout_rate=0.3",
    "--set=evaluators.0.every_steps=10",
)
JAX = "--engine=jax"


def assert_close(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(
            a[name], b[name], rtol=0, atol=1e-6, err_msg=name
        )


def measured(folder):
    return {
        path.name: json.loads(path.read_text())["scalars"]
        for path in (folder / "measurements").glob("*.json")
    }


@pytest.fixture(scope="module")
def alone(shared_line):
    shared_line(*TRAINED, JAX)
    return shared_line.folder_of(*TRAINED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "more", "replicas"),
    [
        (2, (), 2),
        (4, (), 4),
        (2, ("--logical_devices=2", "--micro_batches=3"), 4),
    ],
    ids=["two", "four", "two_of_two_devices"],
)
def test_several_processes_train_the_weights_of_one(
    tmp_path, line, alone, number, more, replicas
):
    if parts := [flag for flag in more if "micro" in flag]:
        # Masks of dropout are drawn for each part of a batch.
        in_parts = Line(tmp_path / "in_parts")
        in_parts(*TRAINED, JAX, *parts)
        alone = in_parts.folder_of(*TRAINED)
    processes = start_jax_processes(line, *TRAINED, *more, each=((),) * number)
    folder = line.folder_of(*TRAINED)
    for out, err in ended(processes):
        assert out == f"{folder}\n"
        assert beside_progress(err) == []
    assert_close(arrays(folder), arrays(alone))
    run = json.loads((folder / "run.json").read_text())
    assert (run["outcome"], run["replicas"]) == ("finished", replicas)
    ours, theirs = measured(folder), measured(alone)
    assert ours.keys() == theirs.keys() and ours
    for name in ours:
        assert ours[name] == pytest.approx(theirs[name], abs=1e-5), name
    rows, expected = (
        np.genfromtxt(f / "metrics.csv", delimiter=",", names=True)
        for f in (folder, alone)
    )
    assert rows.dtype == expected.dtype
    for name in rows.dtype.names:
        np.testing.assert_allclose(rows[name], expected[name], atol=1e-5)


def _back_to_step_10(folder):
    """As a kill between the two checkpoints leaves a run."""
    shutil.rmtree(folder / "checkpoints" / "step-000000020")
    run = json.loads((folder / "run.json").read_text())
    run |= {"outcome": "running", "indexed": False}  # as an old record
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "digests.json").unlink()


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(line, alone):
    folder = line.folder_of(*TRAINED)
    line(*TRAINED, JAX)
    assert_equal_bits(arrays(folder), arrays(alone))
    # One process, then two, then two devices of one process, then one.
    for how in ("two", "devices", "one"):
        _back_to_step_10(folder)
        if how == "two":
            ended(start_jax_processes(line, *TRAINED))
        elif how == "devices":
            line(*TRAINED, JAX, "--strategy=mirrored", "--logical_devices=2")
        else:
            line(*TRAINED, JAX)
        assert_close(arrays(folder), arrays(alone))


@pytest.mark.slow
def test_bfloat16_in_parts_on_two_processes(line):
    flags = (*TRAINED, "--set=train.precision=bfloat16")
    folder = line.folder_of(*flags)
    ended(start_jax_processes(line, *flags, "--micro_batches=3"))
    several = arrays(folder)
    shutil.rmtree(folder)
    line(*flags, JAX, "--micro_batches=3")
    whole = arrays(folder)
    for name in whole:
        # Products are rounded to eight bits, their sums in another order.
        np.testing.assert_allclose(
            several[name], whole[name], rtol=0, atol=2e-3, err_msg=name
        )


def test_another_specification_is_refused(line):
    processes = start_jax_processes(line, *SMOKE, each=((), ["--alpha=0.2"]))
    (_, first), (_, second) = ended(processes, code=2)
    (first,), (second,) = beside_progress(first), beside_progress(second)
    assert first == (
        "ls_tf: worker 1 does not do the same run: train.alpha: 0.2 there, "
        "0.1 here"
    )
    assert second.startswith("ls_tf: worker 0 at 127.0.0.1:")
    assert second.endswith(": train.alpha: 0.1 there, 0.2 here")
    assert not line.runs.exists()


def test_another_number_of_processes_is_refused(line):
    processes = start_jax_processes(line, *SMOKE, each=((), ["--processes=3"]))
    for _, err in ended(processes, code=2):
        (said,) = beside_progress(err)
        assert "--coordinator names the workers 127.0.0.1:" in said
        assert " and 1 more for worker 0 " in said
        assert said.endswith(" and 2 more for worker 1")
    assert not line.runs.exists()


def test_one_that_is_late_is_waited_for(line):
    (port,) = free_ports(1)

    def start(index):
        return line.start(
            *SMOKE,
            JAX,
            "--strategy=multi_worker",
            f"--coordinator=127.0.0.1:{port}",
            "--processes=2",
            f"--process={index}",
        )

    # Worker 0 is late for the other: nobody listens when that one comes.
    late = start(1)
    with pytest.raises(subprocess.TimeoutExpired):
        late.wait(2)
    for _, err in ended([late, start(0)]):
        assert beside_progress(err) == []
    assert list(line.runs.glob("fc_digits/smoke/seed=0/run.json"))


def test_one_that_never_comes_is_named(line):
    one, other = start_jax_processes(line, *SMOKE, "--worker_timeout=1")
    other.send_signal(9)
    other.communicate()
    ((_, err),) = ended([one], exit_codes.LOST)
    assert beside_progress(err) == [
        "ls_tf: worker 1 did not come within 1 s (--worker_timeout); the last "
        "checkpoint is intact"
    ]
    assert not line.runs.exists()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_process_ends_the_others(line, killed):
    processes = start_jax_processes(line, *ENDLESS)
    name = "worker 1" if killed else "worker 0 at 127.0.0.1:"
    lose_one(line.folder_of(*ENDLESS), processes, killed, name)


@pytest.mark.slow
@pytest.mark.parametrize("told", [0, 1])
def test_a_signal_to_one_stops_all_at_one_step(line, told):
    flags = (
        "--experiment=fc_digits",
        "--set=train.steps=100000",
        "--set=train.checkpoint_every_steps=50",
    )
    folder = line.folder_of(*flags)
    processes = start_jax_processes(line, *flags)
    saved = until_saved(folder, processes[0])
    processes[told].send_signal(15)
    ended(processes, code=3, timeout=60)
    run = json.loads((folder / "run.json").read_text())
    assert run["outcome"] == "stopped"
    assert run["step"] == checkpoints.steps(saved)[-1]
