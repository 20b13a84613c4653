"""What is left out of the data: as the record and as a person reads it."""

import hashlib

import numpy as np
import pytest

from ls_tf.pipeline import usage
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.usage import LeftOut, Usage
from ls_tf.records.files import RunError

USED = Usage(
    5,
    (LeftOut("a side is empty", 3, "line 2"), LeftOut("long", 2, "pair 4")),
    "pairs",
)


def test_the_record_says_how_many_and_why():
    assert USED.as_dict() == {
        "examples": 5,
        "left_out": {"a side is empty": 3, "long": 2},
    }
    assert Usage(7).as_dict() == {"examples": 7, "left_out": {}}
    assert Usage(7, (), "sentences", 400, 356).as_dict() == {
        **{"examples": 7, "left_out": {}, "wanted": 400, "learnt": 356}
    }


def test_a_line_for_each_reason():
    data = {
        "train": USED,
        "test": Usage(7),
        "subwords": Usage(9, (), "sentences", 400, 356),
        "other": Usage(9, (), "sentences", 400, 400),
    }
    assert usage.lines(data) == [
        "train: left out 3 of 10 pairs, a side is empty, the first at line 2",
        "train: left out 2 of 10 pairs, long, the first at pair 4",
        "subwords: learnt 356 of 400, the text has no more",
    ]


def test_more_than_is_allowed_is_refused():
    USED.refuse("set/train", 0.5)
    Usage(5).refuse("set/train", 0)
    with pytest.raises(DataError) as caught:
        USED.refuse("set/train", 0.49)
    assert str(caught.value) == (
        "set/train: 5 of 10 pairs would be left out (3 a side is empty, the "
        "first at line 2; 2 long, the first at pair 4); wanted a share of "
        "0.49 at most; data.allow_left_out allows more"
    )


def test_digest_is_that_of_types_shapes_and_values():
    first, second = np.array([[1, 2]], np.uint8), np.array([3], np.int32)
    # Of each array: its type, its shape and its bytes.
    by_hand = " ".join(
        hashlib.sha256(data).hexdigest()
        for data in (b"|u1 (1, 2) \x01\x02", b"<i4 (1,) \x03\x00\x00\x00")
    )
    wanted = hashlib.sha256(by_hand.encode()).hexdigest()
    assert usage.digest(first, second) == wanted


def test_a_digest_that_differs_is_refused():
    digests = {
        "train": {"sha256": "a" * 64},
        "test": {},
        "gone": {"sha256": "c"},
    }
    then = {
        name: {"examples": 1, "left_out": {}, **more}
        for name, more in digests.items()
    }
    usage.refuse_other("r", then, {"train": Usage(1, sha256="a" * 64)})
    with pytest.raises(DataError, match="run r was begun on other data: train"):
        usage.refuse_other("r", then, {"train": Usage(1, sha256="b" * 64)})


def test_sampled_records_that_differ_are_refused():
    then = {
        name: {"examples": 1, "left_out": {}, **digests}
        for name, digests in (
            ("train", {"sha256": "a", "sampled_sha256": "b"}),
            ("test", {"sha256": "a"}),  # an older record
        )
    }
    now = dict.fromkeys(
        ("train", "test"), Usage(1, sha256="a", sampled_sha256="c")
    )
    usage.refuse_other("r", then, {"test": now["test"]})
    with pytest.raises(DataError, match="the SHA-256 of its sampled records b"):
        usage.refuse_other("r", then, now)


@pytest.mark.parametrize(("examples", "left_out"), [(7, 1), (6, 99), (0, 0)])
def test_a_count_that_cannot_be_is_refused(examples, left_out):
    now = {"train": Usage(7, sampled_sha256="a")}
    good = {"train": {"examples": 5, "left_out": {"bad": 2}}}
    usage.refuse_other("r", good, now)
    then = {"train": {"examples": examples, "left_out": {"bad": left_out}}}
    with pytest.raises(RunError) as caught:
        usage.refuse_other("r", then, now)
    assert str(caught.value) == (
        f"run r: its run.json is damaged: of train it counts {examples} "
        f"examples used and {left_out} left out, wanted 7 in all; put back "
        "what was written, or make the run anew in another --runs_dir"
    )


def test_the_larger_count_of_two_processes_stays():
    met = Usage(8, (LeftOut("bad", 2, "record 3"),))
    for before, wanted in (({}, 2), ({"bad": 1}, 2), ({"bad": 4}, 4)):
        found = met.after({"examples": 0, "left_out": before}).as_dict()
        assert found == {"examples": 10 - wanted, "left_out": {"bad": wanted}}
    found = Usage(10).after({"left_out": {"bad": 4}}).as_dict()
    assert found == {"examples": 6, "left_out": {"bad": 4}}
