"""What a sweep trains, and when; the training itself is replaced."""

import pytest

from ls_tf.records import runs
from ls_tf.running import execute, sweep
from ls_tf.running.session import Machine
from ls_tf.spec.resolve import resolve

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)


def teacher(alpha):
    return resolve("fc_digits", changed={"alpha": alpha})


def student(alpha, temperature=1.0):
    return resolve(
        "fc_digits_student",
        changed={
            "teacher.changes.alpha": alpha,
            "teacher.teacher_temperature": temperature,
        },
    )


WANTED = [student(a, t) for a in (0.0, 0.1) for t in TEMPERATURES]
FOLDERS = {one.folder for one in (*WANTED, teacher(0.0), teacher(0.1))}


@pytest.fixture
def trained(monkeypatch):
    """Replaces the training; gives the folders in their order."""
    order = []

    def run(group, session, *, title):
        del session
        assert title
        for one in group:
            runs.refuse(session_dir[0], one)
            with runs.opened(session_dir[0], one) as directory:
                order.append(one.folder)
                directory.update(outcome="finished")

    session_dir = []
    monkeypatch.setattr(execute, "run", run)
    monkeypatch.setattr(sweep, "Session", lambda machine: machine)
    order_of = order

    def use(folder):
        session_dir[:] = [str(folder)]
        return order_of

    return use


def machine(folder):
    return Machine(
        runs_dir=str(folder),
        data_dir=None,
        engine="tensorflow",
        strategy="default",
        logical_devices=1,
        micro_batches=1,
        deterministic=False,
        command=(),
    )


def test_teachers_come_before_all_students():
    plan = sweep.plan(WANTED, stacked=False)
    assert all(len(group) == 1 for group in plan)
    names = [group[0].experiment for group in plan]
    assert names == ["fc_digits"] * 2 + ["fc_digits_student"] * 8


def test_everything_is_trained_once(tmp_path, trained, capsys):
    order = trained(tmp_path)
    sweep.make_missing(WANTED, machine(tmp_path))
    assert set(order) == FOLDERS and len(order) == 10
    sweep.make_missing(WANTED, machine(tmp_path))
    assert len(order) == 10
    err = capsys.readouterr().err
    assert "sweep: 0 of 10 runs finished; next: fc_digits " in err
    assert "sweep: 9 of 10 runs finished, about 0 s left; next:" in err


def test_a_held_run_is_refused(tmp_path, trained):
    trained(tmp_path)
    with (
        runs.opened(str(tmp_path), teacher(0.0)),
        pytest.raises(runs.RunError, match="is in use by pid"),
    ):
        sweep.make_missing(WANTED, machine(tmp_path))


def test_stacks_are_of_one_kind():
    plan = sweep.plan(WANTED, stacked=True)
    assert [len(group) for group in plan] == [2, 8]


def test_students_whose_teacher_runs_beside_them_are_trained_alone():
    def beside(alpha):
        changed = {"teacher.changes.alpha": alpha, "teacher.table": "never"}
        return resolve("fc_digits_student", changed=changed)

    wanted = [beside(0.0), beside(0.1), *WANTED]
    plan = sweep.plan(wanted, stacked=True)
    assert [len(group) for group in plan] == [2, 1, 1, 8]
    assert plan[1:3] == [[beside(0.0)], [beside(0.1)]]
