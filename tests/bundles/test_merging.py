"""Records that come back are taken if they are further, and never damaged."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import mapped_bucket
import numpy as np
import pytest
from etils import epath

from ls_tf.bundles import making, merging
from ls_tf.pipeline.ragged import Ragged
from ls_tf.protocols import Translations
from ls_tf.records import files, locks, runs
from ls_tf.records.runs import RunError
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve
from ls_tf.training import checkpoints, translations
from ls_tf.training.checkpoints import Checkpoint, CheckpointError

RUN = resolve("fc_digits", changed={"alpha": 0.1}, smoke=True)


def data(letter):
    """What a record says of its data."""
    return {"train": {"examples": 9, "left_out": {}, "sha256": letter * 64}}


DATA = data("a")


def write(root, step, outcome="stopped", used=DATA, identity=RUN):
    """A record that has come to a step; gives its folder."""
    with runs.opened(str(root), identity, git=None) as directory:
        begun = directory.run["step"]
        directory.begin(begun, steps=4)
        for at in range(begun + 1, step + 1):
            directory.log(at, {"epoch": at / 10})
        folder = directory.path / "checkpoints"
        arrays = {"w": np.full(3, step, np.float32)}
        checkpoints.save(folder, Checkpoint(step, arrays, {}))
        directory.update(outcome=outcome, step=step, data=used)
        events = directory.path / "tensorboard"
        events.mkdir(exist_ok=True)
        (events / f"events.{step}").write_bytes(b"x")
    return root / identity.folder


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


@pytest.fixture
def here(tmp_path):
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path):
    return tmp_path / "there"


def test_a_record_that_is_not_here_is_taken(here, there):
    path = write(there, 4, "finished")
    assert merging.merge(there, str(here)) == [RUN.folder]
    assert tree(here / RUN.folder) == tree(path)
    assert runs.find(str(here), RUN).metrics()[-1]["step"] == 4
    assert merging.merge(there, str(here)) == []  # it is here by now


def test_one_that_was_trained_further_takes_the_place_of_ours(here, there):
    ours = write(here, 2)
    shutil.copytree(here, there)
    write(there, 3)
    assert merging.merge(there / RUN.folder, str(here)) == [RUN.folder]
    record = runs.read_record(epath.Path(ours))
    record.check()
    assert record.run["step"] == 3
    found = checkpoints.latest(epath.Path(ours) / "checkpoints")
    assert (found.step, found.arrays["w"][0]) == (3, 3)
    events = {file.name for file in (ours / "tensorboard").iterdir()}
    assert events == {"events.2", "events.3"}
    assert {file.name for file in ours.parent.iterdir()} == {ours.name}
    with runs.opened(str(here), RUN, git=None):  # the lock is nobody's
        pass


def test_one_that_is_trained_on_while_it_is_read_is_refused(
    here, there, monkeypatch
):
    write(here, 2)
    write(there, 3)
    before, read = tree(here), making.checkpoint_files

    def train_on(path, step):
        contents = read(path, step)
        write(there, 4, "finished")
        return contents

    monkeypatch.setattr(making, "checkpoint_files", train_on)
    with pytest.raises(RunError, match="changed by another process while it"):
        merging.merge(there, str(here))
    assert tree(here) == before
    monkeypatch.undo()
    assert merging.merge(there, str(here)) == [RUN.folder]
    assert runs.find(str(here), RUN).run["step"] == 4


OPENING = """
import sys
from ls_tf.records import runs
from ls_tf.spec.resolve import resolve

run = resolve("fc_digits", changed={"alpha": 0.1}, smoke=True)
print("here", flush=True)
with runs.opened(sys.argv[1], run, git=None) as directory:
    print(directory.run["step"])
"""


def test_who_begins_while_a_record_is_replaced_goes_on_from_the_new_one(
    here, there, monkeypatch
):
    ours = write(here, 2)
    shutil.copytree(here, there)
    write(there, 3)
    aside, begun = files._aside, []

    @contextlib.contextmanager
    def slowly(path, other):
        with aside(path, other):
            if path == epath.Path(ours):
                process = subprocess.Popen(
                    [sys.executable, "-c", OPENING, str(here)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                begun.append(process)
                assert process.stdout.readline() == "here\n"
                time.sleep(0.2)
                assert not ours.exists()
            yield

    monkeypatch.setattr(files, "_aside", slowly)
    assert merging.merge(there, str(here)) == [RUN.folder]
    assert begun[0].communicate(timeout=60) == ("3\n", None)
    assert runs.read_record(epath.Path(ours)).run["step"] == 3
    assert [file.name for file in ours.parent.iterdir()] == [ours.name]


@pytest.mark.parametrize("step", [1, 2])
def test_one_that_is_no_further_is_refused(here, there, step):
    write(there, step)
    write(here, 2, used={})
    before = tree(here)
    with pytest.raises(
        RunError,
        match=f"no further than .*: stopped at step {step}, there stopped at "
        "step 2; nothing is taken",
    ):
        merging.merge(there, str(here))
    assert tree(here) == before


def test_one_of_other_data_is_refused(here, there):
    write(there, 3, used=data("b"))
    write(here, 2)
    before = tree(here)
    with pytest.raises(RunError, match="other data .train: SHA-256 bbbbbbbbbb"):
        merging.merge(there, str(here))
    assert tree(here) == before


def test_one_of_another_digest_is_refused(here, there):
    path = write(there, 2)
    (path / "digests.json").unlink()
    run = json.loads((path / "run.json").read_text())
    del run["indexed"]
    (path / "run.json").write_text(json.dumps({**run, "digest": "f" * 64}))
    with pytest.raises(RunError, match="digest ffffffffffff; wanted "):
        merging.merge(there, str(here))
    assert not here.exists()


def test_damage_is_refused_before_anything_is_taken(here, there):
    other = resolve("fc_digits", changed={"alpha": 0.2}, smoke=True)
    write(there, 2)
    path = write(there, 2, identity=other)
    table = path / "metrics.csv"
    table.write_bytes(table.read_bytes().replace(b"0.1", b"0.7"))
    with pytest.raises(RunError, match="metrics.csv is not what was written"):
        merging.merge(there, str(here))
    assert not here.exists()


def test_one_without_the_state_of_its_step_is_refused(here, there):
    shutil.rmtree(write(there, 2) / "checkpoints")
    with pytest.raises(CheckpointError):
        merging.merge(there, str(here))
    assert not here.exists()


def test_a_finished_one_with_a_damaged_state_is_refused(here, there):
    write(here, 2)
    before = tree(here)
    path = write(there, 4, "finished")
    file = path / "checkpoints/step-000000004/arrays.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        merging.merge(there, str(here))
    assert tree(here) == before


def test_two_copies_of_a_run_are_refused(here, there):
    path = write(there, 4, "finished")
    older = write(there / "other", 2)
    shutil.move(older, path.with_name("seed=0_old"))
    with pytest.raises(RunError, match="are both of fc_digits seed=0; name"):
        merging.merge(there, str(here))
    assert not here.exists()
    assert merging.merge(path, str(here)) == [RUN.folder]
    assert runs.find(str(here), RUN).run["step"] == 4


def test_what_is_no_record_s_is_passed_over_there_and_kept_here(here, there):
    ours, theirs = write(here, 2), write(there, 4, "finished")
    (ours / "notes.txt").write_text("ours")
    (ours / "more/below").mkdir(parents=True)
    (ours / "more/below/file").write_text("ours")
    for run in (ours, theirs):
        (run / "tensorboard/plugins").mkdir()
        (run / "measurements/notes").mkdir(parents=True)
        os.mkfifo(run / "measurements/pipe.json")
        (run / "tensorboard/gone").symlink_to("/nonexistent")
    (theirs / "checkpoints/step-000000004/odd").mkdir()
    (theirs / "notes.txt").write_text("theirs")
    assert merging.merge(there, str(here)) == [RUN.folder]
    found = tree(ours)
    assert (found["notes.txt"], found["more/below/file"]) == (b"ours",) * 2
    assert "tensorboard/events.4" in found
    runs.find(str(here), RUN).check()


def test_on_a_bucket_the_same_is_kept(there, tmp_path, monkeypatch):
    ours = write(tmp_path / "cloud/bucket/runs", 2)
    (ours / "more/below").mkdir(parents=True)
    (ours / "more/below/file").write_text("ours")
    write(there, 4, "finished")
    bucket = mapped_bucket.Mapped(tmp_path / "cloud")
    mapped_bucket.install(bucket, monkeypatch.setattr, monkeypatch.setitem)
    assert merging.merge(there, "gs://bucket/runs") == [RUN.folder]
    found = tree(ours)
    assert found["more/below/file"] == b"ours"
    assert {"tensorboard/events.2", "tensorboard/events.4"} <= found.keys()


def test_a_link_to_another_disk_stays_one(here, there, tmp_path):
    disk = write(tmp_path / "disk", 2)
    ours = here / RUN.folder
    ours.parent.mkdir(parents=True)
    ours.symlink_to(disk)
    write(there, 4, "finished")
    assert merging.merge(there, str(here)) == [RUN.folder]
    assert ours.is_symlink()
    assert runs.read_record(epath.Path(disk)).run["step"] == 4


def test_one_that_has_gone_on_meanwhile_is_not_replaced(
    here, there, monkeypatch
):
    write(there, 3)
    write(here, 2)
    looked = merging._is_newer

    def late(found, runs_dir):
        answer = looked(found, runs_dir)
        write(here, 4, "finished")  # another process, after the look
        return answer

    monkeypatch.setattr(merging, "_is_newer", late)
    with pytest.raises(RunError, match="no further than"):
        merging.merge(there, str(here))
    assert runs.find(str(here), RUN).run["step"] == 4


_KILLED = """
import os, sys
from ls_tf.bundles import merging

rename = os.rename


def killed(old, new, **more):
    name = os.path.basename(old)
    if name.startswith(".seed=0.") and not name.endswith(".old.tmp"):
        os._exit(9)
    rename(old, new, **more)


os.rename = killed
merging.merge(*sys.argv[1:])
"""


def test_ours_is_there_again_after_a_kill_between_two_renamings(here, there):
    ours = write(here, 2)
    before = tree(ours)
    write(there, 4, "finished")
    words = [sys.executable, "-c", _KILLED, str(there), str(here)]
    assert subprocess.run(words, check=False).returncode == 9
    assert not ours.exists()
    # The training and the next merge begin with this look.
    runs.refuse(str(here), RUN)
    kept = {k: v for k, v in tree(ours).items() if not k.startswith("lock/")}
    assert kept == before
    assert merging.merge(there, str(here)) == [RUN.folder]
    assert runs.find(str(here), RUN).run["step"] == 4
    assert [file.name for file in ours.parent.iterdir()] == [ours.name]


def test_one_that_is_worked_on_is_refused(here, there):
    path = write(there, 2)
    with locks.locked(epath.Path(path)):
        with pytest.raises(RunError, match="cannot be taken: .* in use by pid"):
            merging.merge(there, str(here))
        assert not here.exists()
    write(here, 1, used={})
    with (
        locks.locked(epath.Path(here / RUN.folder)),
        pytest.raises(RunError, match="in use by pid"),
    ):
        merging.merge(there, str(here))


def test_a_place_that_cannot_be_written_is_one_line(there):
    write(there, 2)
    with pytest.raises(RunError, match="^run directory /proc/.* cannot be"):
        merging.merge(there, "/proc/self/runs")


def test_folders_without_records_are_refused(here, there):
    with pytest.raises(SpecError, match="there is no such folder"):
        merging.merge(there, str(here))
    there.mkdir()
    with pytest.raises(SpecError, match="no records of runs are there"):
        merging.merge(there, str(here))
    (there / "bundle.json").write_text('{"version": 7, "files": {}}')
    with pytest.raises(
        SpecError, match="bundle of version 7; wanted version 1"
    ):
        merging.merge(there, str(here))


def translated(run, last=9, name="words"):
    """A teacher's translations of two sentences; gives their folder."""
    key = translations.Key(
        teacher="a",
        weights="b",
        data="numbers_ende",
        split="train[:2]",
        subwords="c",
        sources="d",
        examples=2,
        beam_size=4,
        length_penalty=0.6,
        extra_length=50,
    )
    sources = Ragged.of(np.array([5, 1, 6, 1]), np.array([2, 2]))

    def translate(some):
        ids = [[7], [8, last]]
        return Translations(ids, np.zeros(2), np.ones(2, bool))

    folder = epath.Path(run) / translations.FOLDER / name
    translations.obtain(folder, key, sources, translate, title="t")
    return run / translations.FOLDER / name


def test_what_a_teacher_has_translated_there_is_taken_once(here, there):
    theirs = translated(write(there, 4, "finished"))
    unfinished = theirs.with_name("half")
    unfinished.mkdir()
    wanted = tree(theirs)
    assert merging.merge(there, str(here)) == [RUN.folder]
    ours = here / RUN.folder / translations.FOLDER
    assert tree(ours) == {f"words/{name}": v for name, v in wanted.items()}
    # The record is here by now; what is here too stays as it is.
    shutil.rmtree(theirs)
    translated(there / RUN.folder, last=10)
    more = translated(there / RUN.folder, name="more")
    assert merging.merge(there, str(here)) == []
    assert tree(ours / "words") == wanted
    assert tree(ours / "more") == tree(more)


def test_damaged_translations_are_refused_before_anything_is_taken(here, there):
    theirs = translated(write(there, 4, "finished"))
    file = theirs / "manifest.json"
    file.write_text(file.read_text().replace("train[:2]", "train[:3]"))
    with pytest.raises(RunError, match="manifest.json"):
        merging.merge(there, str(here))
    assert not here.exists()
