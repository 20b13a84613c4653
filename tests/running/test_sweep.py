"""Who trains what of a sweep; the training itself is replaced."""

import contextlib

import pytest

from ls_tf.records import runs
from ls_tf.running import execute, sweep
from ls_tf.running.session import Machine
from ls_tf.spec import SpecError
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


@pytest.mark.parametrize(
    "text",
    ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1.0/2", "²/3"],
)
def test_a_bad_shard_is_one_line(text):
    with pytest.raises(SpecError, match="--shard: wanted I") as caught:
        sweep.Shard.parse(text)
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_a_shard_is_read():
    assert sweep.Shard.parse("2/3") == sweep.Shard(2, 3)


def test_teachers_come_before_all_students():
    plan = sweep.plan(WANTED, stacked=False)
    assert all(len(group) == 1 for group in plan)
    names = [group[0].experiment for group in plan]
    assert names == ["fc_digits"] * 2 + ["fc_digits_student"] * 8


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_the_parts_are_the_plan(count):
    plan = sweep.plan(WANTED, stacked=False)
    parts = [
        sweep.part(plan, sweep.Shard(i, count)) for i in range(1, count + 1)
    ]
    folders = [group[0].folder for some in parts for group in some]
    assert len(folders) == len(set(folders)) == 10
    assert set(folders) == FOLDERS
    sizes = [len(some) for some in parts]
    assert max(sizes) - min(sizes) <= 2  # one of each level


def test_without_shards_everything_is_trained_once(tmp_path, trained, capsys):
    order = trained(tmp_path)
    assert sweep.make_missing(WANTED, machine(tmp_path))
    assert set(order) == FOLDERS and len(order) == 10
    assert sweep.make_missing(WANTED, machine(tmp_path))
    assert len(order) == 10
    err = capsys.readouterr().err
    assert "sweep: 0 of 10 runs finished; next: fc_digits " in err
    assert "sweep: 9 of 10 runs finished, about 0 min left; next:" in err


def test_a_machine_alone_trains_its_part_and_the_teachers_it_needs(
    tmp_path, trained, capsys
):
    order = trained(tmp_path)
    plan = sweep.plan(WANTED, stacked=False)
    second = sweep.Shard(2, 2)
    whole = sweep.make_missing(WANTED, machine(tmp_path), shard=second)
    mine = {group[0].folder for group in sweep.part(plan, second)}
    # The first teacher is the other machine's, which never came.
    assert not whole
    assert set(order) == mine | {teacher(0.0).folder}
    assert "shard 2/2: 5 of 10 runs" in capsys.readouterr().err
    first = sweep.Shard(1, 2)
    assert sweep.make_missing(WANTED, machine(tmp_path), shard=first)
    assert set(order) == FOLDERS and len(order) == 10


def test_a_run_that_another_process_holds_is_skipped(tmp_path, trained, capsys):
    order = trained(tmp_path)
    with runs.opened(str(tmp_path), WANTED[0]):
        whole = sweep.make_missing(
            WANTED, machine(tmp_path), shard=sweep.Shard()
        )
    assert not whole
    assert set(order) == FOLDERS - {WANTED[0].folder}
    err = capsys.readouterr().err
    (line,) = [li for li in err.splitlines() if "skipped" in li]
    assert WANTED[0].title in line and "is in use by pid" in line


def test_a_student_waits_for_a_teacher_that_is_trained_elsewhere(
    tmp_path, trained, monkeypatch, capsys
):
    order = trained(tmp_path)
    elsewhere = contextlib.ExitStack()
    held = elsewhere.enter_context(runs.opened(str(tmp_path), teacher(0.0)))
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        assert teacher(0.0).folder not in order
        if len(naps) == 3:
            held.update(outcome="finished")
            elsewhere.close()

    made = sweep._Sweep(
        sweep.plan(WANTED, stacked=False), machine(tmp_path), None, sleep
    )
    plan = sweep.plan(WANTED, stacked=False)
    made.train_shared(plan, sweep.Shard())
    assert len(naps) == 3
    # Meanwhile the other teacher's students were trained.
    assert set(order) == FOLDERS - {teacher(0.0).folder}
    assert made.finished == made.total == 10
    assert "waits: " in capsys.readouterr().err


def test_a_teacher_that_was_let_go_unfinished_is_taken_over(tmp_path, trained):
    order = trained(tmp_path)
    elsewhere = contextlib.ExitStack()
    elsewhere.enter_context(runs.opened(str(tmp_path), teacher(0.0)))
    plan = sweep.plan(WANTED, stacked=False)
    made = sweep._Sweep(
        plan, machine(tmp_path), None, lambda seconds: elsewhere.close()
    )
    made.train_shared(plan, sweep.Shard())
    assert set(order) == FOLDERS and made.finished == 10


def test_a_held_run_is_refused_without_shards(tmp_path, trained):
    trained(tmp_path)
    with (
        runs.opened(str(tmp_path), teacher(0.0)),
        pytest.raises(runs.RunError, match="is in use by pid"),
    ):
        sweep.make_missing(WANTED, machine(tmp_path))


def test_stacks_are_shared_out_whole():
    plan = sweep.plan(WANTED, stacked=True)
    assert [len(group) for group in plan] == [2, 8]
    assert sweep.part(plan, sweep.Shard(1, 2)) == plan
    assert sweep.part(plan, sweep.Shard(2, 2)) == []
