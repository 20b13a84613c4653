"""Streamed batches: the same whoever makes them, and when."""

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import small_photographs

from ls_tf import seeds, stopping
from ls_tf.pipeline import photographs, shards, stream
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.draws import Draws
from ls_tf.pipeline.plan import EpochPlan
from ls_tf.stopping import StoppedError

ROOT = Path(__file__).resolve().parents[2]
SEED, BATCH, STEPS = 5, 20, 12  # 70 examples: epochs end within batches
RECIPE = "replication_tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("small")
    small_photographs.write(made)
    return made


def make(folder, *, processes=0, **options):
    records = small_photographs.find(folder)
    return stream.Stream(
        records,
        EpochPlan(len(records), BATCH, SEED),
        recipe=RECIPE,
        seed=SEED,
        steps=STEPS,
        processes=processes,
        **options,
    )


def all_batches(made, steps=range(STEPS), part=(0, 1)):
    """Batches of some steps, one call each."""
    return [made.batches(step, 1, part) for step in steps]


@pytest.fixture(scope="module")
def whole(folder):
    return all_batches(make(folder))


def joined(batches, axis=0):
    return {
        k: np.concatenate([b[k] for b in batches], axis) for k in batches[0]
    }


def test_a_batch_is_a_function_of_seed_epoch_and_position(folder, whole):
    records = small_photographs.find(folder)
    recipe = photographs.recipe(RECIPE)
    for step in (0, 3, 7):
        for i in (0, 9, 10, 19):
            epoch, row = divmod(step * BATCH + i, len(records))
            # The order is that of the plan of sets in memory.
            words = seeds.philox(SEED, "order", epoch)
            order = np.argsort(
                words.bit_generator.random_raw(70), kind="stable"
            )
            position = int(order[row])
            example = records.read(position)
            chance = Draws(seeds.philox(SEED, "photograph", epoch, position))
            wanted = recipe.train(example.encoded, chance)
            np.testing.assert_array_equal(whole[step]["image"][0, i], wanted)
            assert whole[step]["label"][0, i] == example.label


def test_epochs_take_each_example_once_and_change_it(folder, whole):
    labels = joined(whole)["label"].ravel()
    records = small_photographs.find(folder)
    every = sorted(records.read(i).label for i in range(70))
    assert sorted(labels[:70]) == sorted(labels[70:140]) == every
    images = joined(whole)["image"].reshape(-1, 64, 64, 3)
    assert len(np.unique(images[:140].reshape(140, -1), axis=0)) == 140


@pytest.mark.parametrize(("processes", "size"), [(1, 3), (3, 7), (2, 50)])
def test_the_number_of_processes_and_pieces_changes_no_bit(
    folder, whole, monkeypatch, processes, size
):
    monkeypatch.setattr(stream, "_PIECE_BYTES", size * 64 * 64 * 3)
    made = make(folder, processes=processes)
    steps = range(4, 8)
    for step, batch in zip(steps, all_batches(made, steps), strict=True):
        assert small_photographs.same(batch, whole[step])
    made.close()


@pytest.mark.parametrize("parts", [2, 4])
def test_the_parts_of_several_processes_make_the_batch(folder, whole, parts):
    mine = [
        joined(all_batches(make(folder), part=(i, parts))) for i in range(parts)
    ]
    assert small_photographs.same(joined(mine, axis=1), joined(whole))


def test_a_process_reads_its_part_and_nothing_before_it(folder, monkeypatch):
    read, original = [], shards.Shards.read

    def noted(self, position):
        read.append(position)
        return original(self, position)

    monkeypatch.setattr(shards.Shards, "read", noted)
    made = make(folder)
    made.batches(9, 1, (2, 4))
    plan = EpochPlan(70, BATCH, SEED).steps(9, 1)["index"][0]
    assert read == plan[10:15].tolist()


def test_several_steps_come_at_once_within_bounds(folder, whole, monkeypatch):
    made = make(folder)
    assert made.steps_at_once == 2**25 // (BATCH * 64 * 64 * 3)
    three = made.batches(2, 3, (0, 1))
    assert small_photographs.same(three, joined(whole[2:5]))
    monkeypatch.setattr(stream, "_AT_ONCE_BYTES", 2 * BATCH * 64 * 64 * 3)
    assert make(folder).batches(2, 3, (0, 1))["label"].shape == (2, BATCH)
    # Another step than the next is found all the same; the last is the run's.
    last = made.batches(STEPS - 1, 5, (0, 1))
    assert small_photographs.same(last, whole[STEPS - 1])


def test_an_evaluation_gives_each_example_once_in_order(folder, monkeypatch):
    monkeypatch.setattr(stream, "_AT_ONCE_BYTES", 8 * 64 * 64 * 3)
    records = small_photographs.find(folder, "validation[2:]")
    recipe = photographs.recipe(RECIPE)
    examples = stream.SplitBatches(records, RECIPE, processes=2)
    batches = [b["image"] for b in examples.batches()]
    assert [len(b) for b in batches] == [8, 8, 3]
    for i, image in enumerate(np.concatenate(batches)):
        encoded = records.read(i).encoded
        np.testing.assert_array_equal(image, recipe.evaluate(encoded))
    picked = stream.SplitBatches(records, RECIPE, np.array([4, 0]), processes=0)
    (two,) = picked.batches()
    np.testing.assert_array_equal(two["image"], np.concatenate(batches)[[4, 0]])


def test_labels_are_read_without_their_pictures(folder, monkeypatch):
    monkeypatch.setattr(stream, "_LABELS_AT_ONCE", 9)
    monkeypatch.setattr(photographs, "recipe", lambda name: RECIPES[name])
    RECIPES = {RECIPE: photographs.RECIPES[RECIPE]}
    records = small_photographs.find(folder)
    examples = stream.SplitBatches(records, RECIPE, processes=0)
    RECIPES.clear()  # nothing is decoded from here on
    labels = examples.labels()
    assert labels.dtype == np.int32
    assert labels.tolist() == [records.read(i).label for i in range(70)]


# --- What goes wrong --------------------------------------------------------


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    made = tmp_path_factory.mktemp("damaged")
    small_photographs.write(made, damaged=(6, 7))
    return made


@pytest.mark.parametrize("processes", [0, 2])
def test_a_damaged_picture_is_named(damaged, processes):
    made = make(damaged, processes=processes)
    with pytest.raises(DataError) as caught:
        all_batches(made)
    made.close()
    message = str(caught.value)
    assert message.startswith("small/train: record ")
    assert "(train_0000000" in message
    assert "Premature end of JPEG" in message
    assert "data.skip_damaged=true" in message
    assert "\n" not in message


def test_the_next_of_its_class_takes_its_place_if_asked(damaged, whole):
    made = make(damaged, skips=True)
    batches = joined(all_batches(made))
    assert made.damaged == {6, 7}
    order = EpochPlan(70, BATCH, SEED).steps(0, STEPS)["index"]
    others = ~np.isin(order, [6, 7])
    clean = joined(whole)
    np.testing.assert_array_equal(
        batches["image"][others], clean["image"][others]
    )
    # The next of its class stands for 6, distorted as 6 would have been.
    records = small_photographs.find(damaged)
    label = records.read(6).label
    at = next(i for i in range(8, 70) if records.read(i).label == label)
    step, row = np.argwhere(order == 6)[0]
    epoch = (step * BATCH + row) // 70
    chance = Draws(seeds.philox(SEED, "photograph", int(epoch), 6))
    np.testing.assert_array_equal(
        batches["image"][step, row],
        photographs.recipe(RECIPE).train(records.read(at).encoded, chance),
    )
    np.testing.assert_array_equal(batches["label"], clean["label"])


def test_an_evaluation_leaves_no_picture_out(damaged):
    records = small_photographs.find(damaged)
    examples = stream.SplitBatches(records, RECIPE, processes=0)
    with pytest.raises(DataError, match=r"record 6 \(train_00000006.JPEG\)"):
        list(examples.batches())
    examples = stream.SplitBatches(records, RECIPE, processes=0, skips=True)
    (whole,) = examples.batches()
    assert examples.damaged == {6, 7}
    label = records.read(7).label
    at = next(i for i in range(8, 70) if records.read(i).label == label)
    np.testing.assert_array_equal(whole["image"][7], whole["image"][at])


def children():
    """The processes of Grain that this one has started."""
    import multiprocessing

    return multiprocessing.active_children()


def test_a_process_that_dies_is_said_in_one_line(folder):
    made = make(folder, processes=2)
    made.batches(0, 1, (0, 1))
    for process in children():
        process.kill()
    with pytest.raises(DataError) as caught:
        all_batches(made, range(1, STEPS))
    message = str(caught.value)
    assert message.startswith("small/train: a process that reads and decodes")
    assert "\n" not in message
    made.close()
    assert not children()


def test_too_little_shared_memory_is_said_before(folder, monkeypatch):
    class Small:
        f_bavail, f_frsize = 256, 4096

    monkeypatch.setattr(stream.os, "statvfs", lambda path: Small)
    made = make(folder, processes=2)
    with pytest.raises(DataError) as caught:
        made.batches(0, 1, (0, 1))
    # One piece a batch, two batches ahead: one for each process in the queue,
    # one behind it, one in the making and one in hand: 8 of 240 KiB.
    assert str(caught.value) == (
        "small/train: wanted 2 MiB of shared memory for the batches that are "
        "made ahead, /dev/shm has 1 free; a container is given more with "
        "--shm-size"
    )
    assert not children()


def test_a_stop_does_not_wait_for_a_batch(folder, monkeypatch):
    made = make(folder)
    asked, released = threading.Event(), threading.Event()

    def never(self, position):
        asked.set()
        released.wait()
        raise AssertionError

    monkeypatch.setattr(shards.Shards, "read", never)

    def ask():
        asked.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    with stopping.listening():
        threading.Thread(target=ask).start()
        began = time.monotonic()
        with pytest.raises(StoppedError):
            made.batches(0, 1, (0, 1))
        assert time.monotonic() - began < 2
    released.set()


PARENT = textwrap.dedent("""
    import multiprocessing, sys, time
    sys.path.insert(0, "tests")
    if __name__ == "__main__":
        from pipeline import test_stream
        made = test_stream.make(sys.argv[1], processes=2)
        made.batches(0, 1, (0, 1))
        pids = [str(p.pid) for p in multiprocessing.active_children()]
        print(" ".join(pids), flush=True)
        sys.stdin.read()
""")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_processes_do_not_outlive_their_parent(folder, tmp_path, number):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        text=True,
    )
    with parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        handles = [os.pidfd_open(pid) for pid in pids]
        parent.send_signal(number)
        parent.wait()
        for handle in handles:
            # Readable once the process has ended.
            assert select.select([handle], [], [], 20)[0]
            os.close(handle)
