"""How a run can end besides well: a loss that is no number, bad input."""

import json

import pytest

pytestmark = pytest.mark.slow

SHORT = ("--experiment=fc_digits", "--set=train.steps=40")


def one_line(done, says):
    last = done.stderr.splitlines()[-1]
    assert says in last, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_loss_that_is_no_number_stops_with_step_and_ids(line, engine):
    flags = ("--experiment=fc_digits", "--set=learning_rate=1e30")
    done = line(*flags, f"--engine={engine}", code=4)
    last = done.stderr.splitlines()[-1]
    # The first update is too large for the second loss; a third step, which
    # JAX runs in the same call, is not told of.
    assert "the loss of step 1 is " in last
    assert "last finite loss" in last
    ids = last.split("examples ")[1].split(" and ")[0].split()
    assert len(ids) == 20
    assert all(0 <= int(i) < 1297 for i in ids)
    run = json.loads((line.folder_of(*flags) / "run.json").read_text())
    assert run["outcome"] == "failed"
    assert "the loss of step" in run["reason"]
    # The weights of the failure were not saved.
    assert not list(line.folder_of(*flags).glob("checkpoints/step-*"))


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--set=train.global_batch_size=1298", "1 to 1297"),
        ("--set=data.train=train[:9999]", "train"),
        ("--set=data.train=tain", "train"),
        ("--set=data.augmentation=flip", "shift2"),
        ("--set=optimizer.name=Momentun", "Momentum"),
        ("--set=optimizer.options.momentun=0.5", "momentum"),
        ("--set=schedule.name=cosine", "linear_to_zero"),
        ("--set=model.options.dropout_rate=1.5", "dropout_rate"),
        ("--set=train.decay_exclude=nothing", "nothing"),
        ("--set=optimizer.options.learning_rate_multipliers.head=2", "head"),
    ],
)
def test_what_cannot_be_built_is_one_line_and_writes_nothing(line, flag, says):
    more = ["--set=train.weight_decay=0.1"] if "exclude" in flag else []
    done = line(*SHORT, flag, *more, code=2)
    one_line(done, says)
    assert not line.runs.exists()


def test_a_missing_teacher_names_its_command(line):
    done = line("--experiment=fc_digits_student", code=2)
    one_line(done, "--experiment=fc_digits --alpha=0.0")
    assert not line.runs.exists()


def test_run_missing_trains_the_teacher_first(line):
    line("--experiment=fc_digits_student", "--smoke", "--run_missing")
    found = sorted(p.parent.parent.name for p in line.runs.glob("*/*/seed=0"))
    assert found == ["fc_digits", "fc_digits_student"]


def test_a_finished_run_is_not_run_again(line):
    line(*SHORT)
    folder = line.folder_of(*SHORT)
    before = (folder / "run.json").read_text()
    done = line(*SHORT)
    assert "finished already" in done.stderr
    assert (folder / "run.json").read_text() == before


def test_train_then_eval_equals_both_at_once(line, tmp_path):
    line(*SHORT, "--mode=train")
    folder = line.folder_of(*SHORT)
    assert not (folder / "measurements").exists()
    line(*SHORT, "--mode=eval")
    file = "measurements/classification_report.json"
    split = json.loads((folder / file).read_text())
    other = type(line)(tmp_path / "other")
    other(*SHORT)
    whole = json.loads((other.folder_of(*SHORT) / file).read_text())
    assert split["scalars"] == whole["scalars"]
    assert split["count"] == 250


def test_eval_of_an_unfinished_run_is_refused(line):
    done = line(*SHORT, "--mode=eval", code=2)
    one_line(done, "is at step 0 of 40")
