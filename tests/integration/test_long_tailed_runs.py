"""Runs on a long tail: stacked, with a teacher."""

import json

import numpy as np
import pytest
from command_line import arrays, said_of

pytestmark = pytest.mark.slow

TAIL = (
    "--set=data.tail_power=6",
    "--set=data.tail_largest=100",
    "--set=data.tail_smallest=16",  # penultimate wants 15 of each class
)
SHORT = (
    "--set=train.log_every_steps=20",
    "--set=train.checkpoint_every_steps=20",
)
RUN = ("--experiment=fc_digits", "--set=train.steps=40", *SHORT, *TAIL)
STUDENT = (
    "--experiment=fc_digits_student",
    "--set=train.steps=40",
    "--set=data.augmentation=shift2",  # 25 views: a table of logits
    *SHORT,
    *TAIL,
)


def data_of(folder):
    return json.loads((folder / "run.json").read_text())["data"]


def test_a_stack_over_seeds_is_the_runs_alone(tmp_path, line):
    line(*RUN, "--engine=jax", "--stack=alpha:0,.1", "--stack=seed:0..1")
    for alpha, seed in (("0.1", "0"), ("0", "1")):
        one = (*RUN, f"--alpha={alpha}", f"--seed={seed}")
        folder = line.folder_of(*one)
        stacked, used = arrays(folder), data_of(folder)
        counts = sorted(used["train"]["class_counts"], reverse=True)
        assert counts == [100, 67, 49, 37, 29, 22, 16, 16, 16, 16]
        assert used["train"]["examples"] == sum(counts)
        folder.rename(tmp_path / f"stacked_{alpha}_{seed}")
        line(*one, "--engine=jax")
        assert data_of(folder) == used
        for name, value in arrays(folder).items():
            np.testing.assert_allclose(stacked[name], value, atol=1e-5)


def test_students_of_one_teacher_see_its_logits_on_their_own_tail(
    tmp_path, line
):
    """Two seeds have two tails, and the one teacher a table for each."""
    taught = (*STUDENT, "--set=teacher.seed=0", "--engine=jax")
    line(*taught, "--stack=seed:0..1", "--run_missing")
    one = (*taught, "--seed=1")
    folder = line.folder_of(*one)
    stacked = arrays(folder)
    folder.rename(tmp_path / "stacked")
    line(*one)
    for name, value in arrays(folder).items():
        np.testing.assert_allclose(stacked[name], value, atol=1e-5)
    # Beside the student the teacher sees the same images.
    beside = (*one, "--set=teacher.table=never")
    line(*beside)
    for name, value in arrays(line.folder_of(*beside)).items():
        if name.startswith("model/"):
            np.testing.assert_allclose(stacked[name], value, atol=5e-3)


def test_bad_tails_are_one_line(line):
    for flags, says in (
        (("--set=data.tail_power=0",), "data.tail_power: wanted more than 0"),
        ((*TAIL[:2], "--set=data.tail_smallest=0"), "no class is left without"),
        ((*TAIL, "--set=data.train=train[:9]"), "got none of class"),
        (
            (TAIL[0], "--set=data.tail_largest=9999"),
            "wanted 9999 examples of class",
        ),
    ):
        done = line("--experiment=fc_digits", "--smoke", *flags, code=2)
        (only,) = said_of(done)
        assert says in only
        assert not line.runs.exists()
