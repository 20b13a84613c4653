"""Pairs of sentences, as text and as bytes."""

import dataclasses

import numpy as np
import pytest

from ls_tf.pipeline import text_pairs
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

INFO = TextInfo(name="tiny", sizes={"train": 3}, licence="none", source="here")
PAIRS = Pairs(["a b", "", "ß\u2028x"], ["ä", "  ", "\ufeff😀\r"])


def test_pairs_are_lists_of_one_length():
    assert len(PAIRS) == 3
    assert PAIRS.part(1, 3) == Pairs(["", "ß\u2028x"], ["  ", "\ufeff😀\r"])
    with pytest.raises(ValueError, match="got 2 and 1"):
        Pairs(["a", "b"], ["c"])


def test_info_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        INFO.name = "other"
    assert (INFO.source_language, INFO.target_language) == ("en", "de")


def test_texts_become_bytes_and_texts_again():
    arrays = text_pairs.pack(PAIRS)
    assert set(arrays) == {"source_text", "target_text"}
    assert bytes(arrays["target_text"]) == "ä\n  \n\ufeff😀\r".encode()
    assert text_pairs.unpack(arrays | {"other": np.zeros(3)}) == PAIRS
    one = Pairs([""], [""])
    assert text_pairs.unpack(text_pairs.pack(one)) == one


# Lines 1, 3, 4 and 8 of a file lacked a side.
WITH_GAPS = Pairs(
    *(["b", "e", "f", "g"] for _ in range(2)),
    left_out=np.array([[0, 1], [1, 3], [1, 4], [4, 8]]),
)


def left_out(pairs):
    return [(part.count, part.first) for part in pairs.usage.left_out]


def test_what_is_left_out_belongs_to_the_pair_after_it():
    assert left_out(WITH_GAPS) == [(4, "line 1")]
    assert WITH_GAPS.usage.examples == 4
    assert left_out(WITH_GAPS.part(0, 1)) == [(1, "line 1")]
    assert left_out(WITH_GAPS.part(0, 2)) == [(3, "line 1")]
    assert left_out(WITH_GAPS.part(1, 3)) == [(2, "line 3")]
    assert left_out(WITH_GAPS.part(1, 3).part(0, 1)) == [(2, "line 3")]
    assert left_out(WITH_GAPS.part(2, 3)) == []
    assert left_out(WITH_GAPS.part(2, 4)) == [(1, "line 8")]
    assert PAIRS.usage.left_out == ()


def test_what_is_left_out_is_kept_with_the_texts():
    arrays = text_pairs.pack(WITH_GAPS)
    assert arrays["left_out"].dtype == np.int64
    again = text_pairs.unpack(arrays)
    assert again == WITH_GAPS
    np.testing.assert_array_equal(again.left_out, WITH_GAPS.left_out)


def test_what_cannot_be_written_is_refused():
    with pytest.raises(ValueError, match="one pair"):
        text_pairs.pack(Pairs([], []))
    with pytest.raises(ValueError, match=r"line breaks, got 'a\\nb'"):
        text_pairs.pack(Pairs(["c", "a\nb"], ["d", "e"]))


def test_check_passes_what_is_as_promised():
    text_pairs.check(INFO, "train", text_pairs.pack(PAIRS))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            text_pairs.pack(PAIRS.part(0, 2)),
            "wanted 3 pairs, got 2 lines of source",
        ),
        (
            {"target_text": np.frombuffer(b"a\nb\nc\nd", np.uint8)},
            "wanted 3 pairs, got 4 lines of target",
        ),
        ({"source_text": np.zeros(3, np.int32)}, "wanted texts as uint8"),
        ({"source_text": np.zeros((3, 1), np.uint8)}, "wanted texts as uint8"),
    ],
)
def test_check_names_the_first_difference(change, says):
    with pytest.raises(DataError, match=f"^tiny/train: {says}") as caught:
        text_pairs.check(INFO, "train", text_pairs.pack(PAIRS) | change)
    assert "\n" not in str(caught.value)
