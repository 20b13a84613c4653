"""What the command line does with the records of runs."""

import json
import os
import re
import socket

import pytest
from cli_process import DIGITS, ROOT, tree

from ls_tf.records import runs
from ls_tf.spec.resolve import resolve

# --- what came of runs


RUNS = ROOT / "results/runs"


def scalars(folder, name):
    text = (RUNS / folder / f"measurements/{name}.json").read_text("utf-8")
    return json.loads(text)["scalars"]


def test_show_prints_what_came_of_every_run(line):
    flags = "--experiment=fc_mnist", "--mode=show", f"--runs_dir={RUNS}"
    code, out, err = line(*flags)
    assert (code, err) == (0, [])
    rows = dict(row.split(": ", 1) for row in out.splitlines())
    assert len(rows) == len(list(RUNS.glob("fc_mnist/*/*/run.json")))
    folder = "fc_mnist/paper/seed=0"
    net = scalars(folder, "classification_report")
    fit = scalars(folder, "reliability_report")
    assert rows[f"{RUNS}/{folder}"] == (
        f"accuracy {100 * net['accuracy']:.2f} %, NLL {net['nll']:.4f}, "
        f"ECE {fit['ece']:.4f}, T {fit['temperature']:.3g}, "
        f"ECE at T {fit['ece_scaled']:.4f}"
    )
    # With what differs, that run alone.
    code, out, err = line(*flags, "--alpha=0", "--seed=2")
    assert (code, err) == (0, []) and len(out.splitlines()) == 1
    assert out.startswith(f"{RUNS}/fc_mnist/alpha=0/seed=2: accuracy ")


def test_show_of_a_translation(line):
    code, out, _ = line(
        *("--experiment=transformer_multi30k", "--mode=show", "--alpha=0"),
        f"--runs_dir={RUNS}",
    )
    found = scalars("transformer_multi30k/alpha=0/seed=0", "translation_report")
    assert code == 0 and f": BLEU {found['bleu']:.2f}, chrF" in out


def test_show_without_a_run(refused):
    said = refused("--experiment=fc_emnist", "--mode=show")
    assert said == (
        "no finished run of fc_emnist like that in runs; make it with: "
        "python run_experiment.py --experiment=fc_emnist"
    )


# --- run directories


IDENTITY = resolve("fc_digits", smoke=True)


@pytest.fixture
def record(tmp_path):
    """A finished record of the smoke run; gives its folder."""
    with runs.opened(str(tmp_path / "runs"), IDENTITY) as directory:
        directory.update(outcome="finished")
    return tmp_path / "runs" / IDENTITY.folder


def edit(file, **fields):
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def edit_unchecked(record, **fields):
    """Changes a record's fields as one that has no digests of its files."""
    (record / "digests.json").unlink()
    edit(record / "run.json", indexed=False, **fields)


def test_a_finished_run_is_not_run_again(line, record, tmp_path):
    before = tree(tmp_path)
    code, out, err = line(DIGITS, "--smoke")
    assert code == 0
    assert out.splitlines()[-1] == f"runs/{IDENTITY.folder}"
    assert err == [
        "ls_tf: run fc_digits seed=0 is finished already: nothing was measured"
    ]
    assert tree(tmp_path) == before
    # Killed between the record's end and its own.
    dead = {"pid": 2**40, "host": socket.gethostname(), "token": "t"}
    (record / "lock").mkdir()
    (record / "lock" / "owner.json").write_text(json.dumps(dead))
    (record / ".run.json.01234567.tmp").write_text("half")
    assert line(DIGITS, "--smoke") == (code, out, err)
    assert tree(tmp_path) == before


def test_a_run_directory_of_another_digest(refused, record):
    edit_unchecked(record, digest="f" * 64)
    message = refused(DIGITS, "--smoke")
    assert "holds another specification" in message
    assert IDENTITY.folder in message


def test_a_run_directory_of_a_newer_record(refused, record):
    edit(record / "run.json", version=99)
    message = refused(DIGITS, "--smoke")
    assert "record version 99" in message
    assert "use a newer ls_tf" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_run_directory(refused, record, text):
    (record / "run.json").write_text(text)
    assert "run.json is damaged" in refused(DIGITS, "--smoke")


def test_a_run_directory_in_use(refused, tmp_path):
    with runs.opened(str(tmp_path / "runs"), IDENTITY):
        message = refused(DIGITS, "--smoke")
    where = f"in use by pid {os.getpid()} on {socket.gethostname()}"
    assert where in message


def test_a_file_for_a_runs_directory(refused, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused(DIGITS, "--runs_dir=file")
    assert "file is not a directory" in message


def test_a_student_without_its_teacher(refused):
    message = refused("--experiment=fc_digits_student", "--smoke")
    teacher = re.search(r"python run_experiment.py (--experiment=\S+)", message)
    assert teacher.group(1) == "--experiment=fc_digits"


@pytest.mark.parametrize("more", [(), ("--run_missing",)])
def test_a_teacher_of_other_classes_is_refused_before_it_is_trained(
    refused, more
):
    message = refused(
        "--experiment=fc_digits_student",
        "--set=teacher.experiment=fc_emnist",
        "--smoke",
        *more,
    )
    assert "wanted 10 classes as the student's (digits), got 47" in message


def test_a_report_without_its_runs(refused):
    message = refused("--report=quick_tour")
    assert "--experiment=fc_digits " in message
