"""Students that look their teacher up, from the command line."""

import json
import os
import shutil
import signal
import socket
import time

import numpy as np
import pytest
from command_line import arrays, assert_equal_bits, said_of

pytestmark = pytest.mark.slow

STUDENT = (
    "--experiment=fc_digits_student",
    "--run_missing",
    "--set=data.augmentation=shift2",
    "--set=teacher.changes.train.steps=300",
    "--set=teacher.matching=soft",
    "--set=teacher.beta=1",
    "--set=learning_rate=0.1",
    "--set=train.steps=60",
)
NEVER = "--set=teacher.table=never"
ROWS = 1297 * 25


def tables_of(line):
    return sorted(line.runs.glob("fc_digits/*/seed=*/tables/*"))


def older(manifest):
    """A manifest of version 1, which had no digest of its own."""
    fields = {k: v for k, v in manifest.items() if k != "digest"}
    return json.dumps({**fields, "version": 1})


def assert_close(a, b, atol):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(
            a[name], b[name], rtol=0, atol=atol, err_msg=name
        )


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_table_teaches_as_the_teacher_beside_does(line, engine):
    flags = (*STUDENT, f"--engine={engine}")
    done = line(*flags)
    assert "1297 images x 25 views, 0.6 MiB in" in done.stderr
    assert f"view {ROWS} of {ROWS}" in done.stderr
    (table,) = tables_of(line)
    assert table.name == "digits,train,shift2"
    manifest = json.loads((table / "manifest.json").read_text())
    assert manifest["finished"] and len(manifest["parts"]) == 3
    # Without it, what the student becomes differs by rounding to float16.
    line(*flags, NEVER)
    assert len(tables_of(line)) == 1
    stored = arrays(line.folder_of(*flags))
    assert_close(stored, arrays(line.folder_of(*flags, NEVER)), atol=1e-3)
    # Another student of this teacher finds it there.
    again = line(*flags, "--set=teacher.teacher_temperature=4")
    assert "images x" not in again.stderr


def test_both_engines_make_and_read_one_table(line):
    line(*STUDENT, "--mode=train")
    (table,) = tables_of(line)
    first = [np.load(p) for p in sorted(table.glob("*.npy"))]
    folder = line.folder_of(*STUDENT)
    by_first = arrays(folder)
    folder.rename(line.folder / "first")
    line(*STUDENT, "--engine=jax", "--mode=train")
    assert_close(by_first, arrays(folder), atol=1e-5)
    for file in table.iterdir():
        file.unlink()
    folder.rename(line.folder / "second")
    # The teacher's process was killed behind its end.
    lock = table.parents[1] / "lock"
    lock.mkdir()
    owner = {"pid": 2**40, "host": socket.gethostname(), "token": "t"}
    (lock / "owner.json").write_text(json.dumps(owner))
    line(*STUDENT, "--engine=jax", "--mode=train")
    assert not lock.exists()
    second = [np.load(p) for p in sorted(table.glob("*.npy"))]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=2**-9, atol=1e-3)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_broken_build_goes_on(line, number):
    line(*STUDENT)
    (table,) = tables_of(line)
    whole = {p.name: np.load(p) for p in table.glob("*.npy")}
    folder = line.folder_of(*STUDENT)
    trained = arrays(folder)
    # As it was after the first part, and a student that was never begun.
    manifest = json.loads((table / "manifest.json").read_text())
    manifest.update(finished=None, parts={"0": manifest["parts"]["0"]})
    (table / "manifest.json").write_text(older(manifest))
    for name in ("logits-00001.npy", "logits-00002.npy"):
        (table / name).unlink()
    kept = os.stat(table / "logits-00000.npy").st_mtime_ns
    folder.rename(line.folder / "student")
    process = line.start(*STUDENT)
    while not (table / "lock").exists():
        time.sleep(0.005)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    wanted = 3 if number == signal.SIGTERM else -number
    assert process.returncode == wanted, stderr
    assert not (folder / "run.json").exists()
    done = line(*STUDENT)
    assert f"of {ROWS}" in done.stderr
    assert os.stat(table / "logits-00000.npy").st_mtime_ns == kept
    for name, part in whole.items():
        np.testing.assert_array_equal(np.load(table / name), part)
    assert not (table / "lock").exists()
    assert_equal_bits(arrays(folder), trained)


def test_bad_tables_and_teachers_are_one_line(line):
    line(*STUDENT, "--mode=train")
    (table,) = tables_of(line)
    file = table / "manifest.json"
    manifest = json.loads(file.read_text())
    other = (*STUDENT, "--set=teacher.teacher_temperature=2")
    for change, says in (
        ({"weights": "0" * 64}, "another teacher (weights 000000000000"),
        ({"images": "0" * 64}, "another view set (images 000000000000"),
    ):
        file.write_text(older({**manifest, **change}))
        done = line(*other, code=2)
        (said,) = said_of(done)
        assert says in said
    file.write_text(json.dumps(manifest))
    flags = [f for f in other if f != "--run_missing"]
    for flag, says in (
        ("--set=teacher.table=sometimes", "teacher.table: got 'sometimes'"),
        ("--set=teacher.experiment=fc_emnist", "wanted 10 classes"),
        ("--set=teacher.seed=7", "seed=7 is missing; make it with"),
    ):
        done = line(*flags, flag, code=2)
        assert says in done.stderr
        assert done.stderr.count("\n") == 1


def test_stacked_students_share_one_table(line):
    flags = (*STUDENT, "--engine=jax")
    many = (
        *flags,
        "--stack=teacher.teacher_temperature:1,4",
        "--stack=teacher.student_temperature:1,2",
    )
    line(*many)
    assert len(tables_of(line)) == 1
    for temperature, own in (("1", "1"), ("4", "2")):
        one = (
            *flags,
            f"--set=teacher.teacher_temperature={temperature}",
            f"--set=teacher.student_temperature={own}",
        )
        folder = line.folder_of(*one)
        stacked = arrays(folder)
        assert json.loads((folder / "run.json").read_text())["networks"] == 4
        folder.rename(line.folder / f"stacked_{temperature}")
        line(*one)
        assert_close(stacked, arrays(folder), atol=1e-5)


def test_stacked_students_of_two_teachers_have_two_tables(line):
    flags = (*STUDENT, "--engine=jax")
    line(*flags, "--stack=seed:0..1")
    assert len(tables_of(line)) == 2
    for seed in (0, 1):
        one = (*flags, f"--seed={seed}")
        folder = line.folder_of(*one)
        stacked = arrays(folder)
        folder.rename(line.folder / f"stacked_{seed}")
        line(*one)
        assert_close(stacked, arrays(folder), atol=1e-5)


def test_a_teacher_short_of_its_last_step_teaches_nobody(line):
    flags = (
        *STUDENT,
        NEVER,
        "--set=teacher.changes.train.checkpoint_every_steps=200",
    )
    line(*flags, "--mode=train")
    (last,) = line.runs.glob("fc_digits/*/seed=*/checkpoints/step-000000300")
    file = last / "arrays.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    other = (*flags, "--set=teacher.teacher_temperature=2")
    done = line(*other, code=2)
    (said,) = said_of(done)
    assert "no whole checkpoint of its last step, 300, but of step 200" in said
    assert not line.folder_of(*other).exists()
    # What the line says mends it.
    shutil.rmtree(last.parents[1])
    words = said[said.index("--experiment=") :].split()
    line(*[word for word in words if not word.startswith("--runs_dir=")])
    line(*other, "--mode=train")
