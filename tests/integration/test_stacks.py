"""Networks that train in one program are those that train alone."""

import json
import signal
import time

import numpy as np
import pytest
from command_line import arrays, assert_equal_bits

pytestmark = pytest.mark.slow

JAX = "--engine=jax"
SHORT = (
    JAX,
    "--experiment=fc_digits",
    "--set=train.steps=100",
    "--set=train.log_every_steps=40",
    "--set=train.checkpoint_every_steps=50",
    "--set=train.ema_momentum=0.9",
    "--set=model.options.dropout_rate=0.2",
)
STACK = ("--stack=alpha:0,.3", "--stack=seed:0..1")


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


def assert_close(a, b, atol=1e-5):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(
            a[name], b[name], rtol=0, atol=atol, err_msg=name
        )


def test_each_network_is_the_one_that_trains_alone(tmp_path, line):
    done = line(*SHORT, *STACK)
    folders = done.stdout.split()
    assert len(folders) == 4
    for alpha in ("0", "0.3"):
        for seed in ("0", "1"):
            one = (*SHORT, f"--alpha={alpha}", f"--seed={seed}")
            folder = line.folder_of(*one)
            assert str(folder) in folders
            stacked, run = arrays(folder), run_json(folder)
            assert run["outcome"] == "finished"
            assert run["networks"] == 4
            measured = {
                p.name: json.loads(p.read_text())["scalars"]
                for p in (folder / "measurements").glob("*.json")
            }
            rows = (folder / "metrics.csv").read_text().splitlines()
            folder.rename(tmp_path / f"stacked_{alpha}_{seed}")
            line(*one)
            assert_close(stacked, arrays(folder))
            assert len(rows) == len(
                (folder / "metrics.csv").read_text().splitlines()
            )
            assert run_json(folder)["digest"] == run["digest"]
            for name, values in measured.items():
                alone = json.loads(
                    (folder / "measurements" / name).read_text()
                )["scalars"]
                assert (
                    values["nll"] == pytest.approx(alone["nll"], rel=1e-4)
                    if "nll" in values
                    else alone.keys() == values.keys()
                )


def test_students_with_teachers_and_temperatures_of_their_own(tmp_path, line):
    flags = (
        JAX,
        "--experiment=fc_digits_student",
        "--set=train.steps=100",
        "--set=teacher.matching=soft",
        "--run_missing",
    )
    line(
        *flags,
        "--stack=seed:0..1",
        "--stack=teacher.student_temperature:1,4",
        "--stack=teacher.beta:.5,1",
    )
    for seed, temperature, beta in (("0", "1", "1"), ("1", "4", ".5")):
        one = (
            *flags,
            f"--seed={seed}",
            f"--set=teacher.student_temperature={temperature}",
            f"--set=teacher.beta={beta}",
        )
        folder = line.folder_of(*one)
        stacked = arrays(folder)
        assert run_json(folder)["networks"] == 8
        folder.rename(tmp_path / f"stacked_{seed}")
        line(*one)
        assert_close(stacked, arrays(folder))


@pytest.mark.parametrize("devices", [4, 3])
def test_a_stack_over_several_devices(tmp_path, line, devices):
    # Four divide the networks; three do not, and divide the batch instead.
    flags = (*SHORT, "--set=train.global_batch_size=60", *STACK)
    folders = [line.runs / f for f in _folders(line, *flags)]
    line(*flags)
    alone = [arrays(folder) for folder in folders]
    line.runs.rename(tmp_path / "alone")
    line(*flags, "--strategy=mirrored", f"--logical_devices={devices}")
    for folder, want in zip(folders, alone, strict=True):
        assert run_json(folder)["replicas"] == (1 if devices == 4 else 3)
        assert_close(arrays(folder), want)


def _folders(line, *flags):
    decoder = json.JSONDecoder()
    text = line(*flags, "--mode=print").stdout.strip()
    found = []
    while text:
        one, end = decoder.raw_decode(text)
        found.append(one["folder"])
        text = text[end:].strip()
    return found


LONG = (
    JAX,
    "--experiment=fc_digits",
    "--set=train.steps=4000",
    "--set=model.options.hidden=64,64",
    "--set=model.options.dropout_rate=0.3",
    "--set=train.checkpoint_every_steps=130",
    "--set=evaluators.0.every_steps=0",
)


def test_a_broken_stack_ends_as_an_unbroken_one(tmp_path, line):
    folders = [line.runs / f for f in _folders(line, *LONG, *STACK)]
    line(*LONG, *STACK)
    unbroken = [arrays(folder) for folder in folders]
    line.runs.rename(tmp_path / "unbroken")
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = line.start(*LONG, *STACK)
        before = _newest(folders[-1])
        while _newest(folders[-1]) == before:
            time.sleep(0.02)
            assert process.poll() is None, process.stderr.read()
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode in (3, -signal.SIGKILL)
    assert run_json(folders[0])["outcome"] == "stopped"
    line(*LONG, *STACK)
    for folder, want in zip(folders, unbroken, strict=True):
        assert_equal_bits(arrays(folder), want)


def _newest(folder):
    names = [p.name for p in (folder / "checkpoints").glob("step-*")]
    return max(names, default="")


def test_members_that_are_there_are_left_and_new_ones_join(line):
    line(*SHORT, "--alpha=0", "--seed=1")
    folder = line.folder_of(*SHORT, "--alpha=0", "--seed=1")
    before = (folder / "run.json").read_bytes()
    done = line(*SHORT, *STACK)
    assert "is finished already" in done.stderr
    assert "3 networks" in done.stderr
    assert (folder / "run.json").read_bytes() == before
    assert len(done.stdout.split()) == 4


def test_a_network_that_fails_leaves_the_others_alone(line):
    # A teacher's squared logit error, summed, does not survive beta 1.
    flags = (
        JAX,
        "--experiment=fc_digits_student",
        "--set=teacher.matching=logits",
        "--set=teacher.logit_reduction=sum",
        "--set=learning_rate=40",
        "--set=train.steps=200",
        "--run_missing",
    )
    done = line(*flags, "--stack=teacher.beta:0,1", code=4)
    assert "teacher.beta" in done.stderr.splitlines()[-1]
    assert "last finite loss" in done.stderr.splitlines()[-1]
    outcomes = {
        beta: run_json(line.folder_of(*flags, f"--set=teacher.beta={beta}"))[
            "outcome"
        ]
        for beta in ("0", "1")
    }
    assert outcomes == {"0": "finished", "1": "failed"}
