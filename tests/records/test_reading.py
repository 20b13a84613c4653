"""Whatever reading raises is one line of the reader's own error."""

import zlib

import pytest

from ls_tf.records.reading import line, reading


class ReaderError(ValueError):
    """A reader's own."""


@pytest.mark.parametrize(
    "raised",
    [
        zlib.error("incorrect header check"),
        KeyError("sha256"),
        TypeError("list\nindices"),
        OverflowError("too large"),
        RecursionError("maximum depth"),
        SyntaxError("invalid"),
        MemoryError(),
        ValueError("a value"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_error_is_one_line(raised):
    with (
        pytest.raises(ReaderError) as info,
        reading("a/b.npz", "checkpoint", ReaderError),
    ):
        raise raised
    text = str(info.value)
    assert text.startswith("a/b.npz is damaged, it is no checkpoint: ")
    assert type(raised).__name__ in text
    assert "\n" not in text


def test_a_refusal_of_the_system_says_its_reason():
    with (
        pytest.raises(ReaderError, match=r"^f cannot be read: Permission"),
        reading("f", "run record", ReaderError),
    ):
        raise PermissionError(13, "Permission denied")


def test_the_readers_own_error_passes_unchanged():
    own = ReaderError("one line already")
    with (
        pytest.raises(ReaderError) as info,
        reading("f", "run record", ReaderError),
    ):
        raise own
    assert info.value is own


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_requests_to_end_pass(raised):
    with pytest.raises(raised), reading("f", "run record", ReaderError):
        raise raised


def test_a_line_is_short_and_drops_the_place_in_the_graph():
    text = line(ValueError("{{node a}} b\n c [Op:X]" + "d" * 999))
    assert text.startswith("ValueError: b c ddd")
    assert len(text) < 230
