"""Sentences as bytes are the sentences as a list."""

import numpy as np
import pytest

from ls_tf.pipeline import lines, text_pairs
from ls_tf.pipeline.lines import Chained, Lines
from ls_tf.pipeline.text_pairs import Pairs

TEXTS = ["one", "zwölf Äpfel", "", "三 个", "a \U0001f600 b", "x"]


@pytest.fixture(params=[3, 1 << 22], ids=["small chunks", "large ones"])
def made(request, monkeypatch):
    monkeypatch.setattr(lines, "_CHUNK", request.param)
    monkeypatch.setattr(lines, "_DECODED", request.param)
    return Lines.joined([TEXTS[:2], [], TEXTS[2:]])


def test_they_are_those_of_the_list(made):
    assert list(made) == TEXTS and made == TEXTS
    assert Pairs(TEXTS, TEXTS) == Pairs(made, made)
    assert len(made) == 6 and made[1] == TEXTS[1] and made[-1] == "x"
    assert made != TEXTS[:-1] and made != [*TEXTS[:-1], "y"]
    for part in (slice(1, 4), slice(0, 0), slice(-2, None), slice(4, 2)):
        assert made[part] == TEXTS[part]
        assert list(made[part]) == TEXTS[part]
        assert made[part] == Lines.joined([TEXTS[part]])
    assert made[::2] == TEXTS[::2] and made[1:5][1::3] == TEXTS[2:5:3]
    with pytest.raises(IndexError):
        made[6]
    assert Lines.joined([]) == [] and len(Lines.joined([[]])) == 0
    assert made[2:4] != made[1:3]


def test_they_are_counted_and_searched_as_the_list_is(made):
    assert made.sizes.tolist() == [len(t.encode()) for t in TEXTS]
    for part in (made, made[1:4], made[:0]):
        assert lines.characters(part) == sum(map(len, part))
        for word in ("三", "Ä", "e", "\U0001f600"):
            assert part.has([word]) == any(word in text for text in part)
    assert made.has(["?", "个"]) and not made.has(["?", "!"])


def test_what_is_packed_is_what_a_list_packs_to(made):
    for part in (slice(0, 6), slice(1, 4), slice(2, 3)):
        found = text_pairs.pack(Pairs(made[part], made[part]))
        wanted = text_pairs.pack(Pairs(TEXTS[part], TEXTS[part]))
        for key, array in wanted.items():
            assert found[key].dtype == array.dtype
            np.testing.assert_array_equal(found[key], array)
        assert text_pairs.unpack(found) == Pairs(TEXTS[part], TEXTS[part])


def test_bytes_that_are_no_text_are_refused(made):
    for data in (b"a\xff", b"a\xc3"):
        with pytest.raises(UnicodeDecodeError):
            Lines.packed(np.frombuffer(data, np.uint8))


def test_some_are_left_out(made):
    which = np.array([False, True, False, True, True, False])
    assert made.kept(which) == [TEXTS[1], TEXTS[3], TEXTS[4]]
    assert made[1:4].kept(which[1:4]) == [TEXTS[1], TEXTS[3]]
    assert made.kept(np.ones(6, bool)) is made
    # Without a line feed at the end.
    packed = Lines.packed(made.pack())
    assert packed.kept(~which) == [TEXTS[0], TEXTS[2], TEXTS[5]]


def test_both_languages_follow_each_other(made):
    both = Chained(made, ["p", "q"])
    wanted = [*TEXTS, "p", "q"]
    assert list(both) == wanted and len(both) == 8
    assert [both[i] for i in (0, 5, 6, -1)] == ["one", "x", "p", "q"]
    for part in (slice(None, None, 3), slice(4, 7), slice(1, None, 2)):
        assert both[part] == wanted[part]
    assert lines.characters(both) == sum(map(len, wanted))
