"""Text as lines, whole and as it comes."""

import pytest

from ls_tf import text_lines

NASTY = "\ufeffä b\u2028c\u2029d\x85e\x0bf\x0cg\x1dh \t\r\n\r\n\n  ß\x00\r \nz"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\n", ["a", ""]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b" a \t\r\n\nb", ["a", "", "b"]),
        # Only a line feed ends a line: a pair of files stays in step.
        ("a\u2028b\x0bc\x85d\re\n".encode(), ["a\u2028b\x0bc\x85d\re"]),
        (b"a\n\rb\rc", ["a", "b\rc"]),
        # Without any, a carriage return does.
        (b"a\rb\r", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\r b", ["a", "", "b"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbf", [""]),
        # Composed and decomposed letters stay what they are.
        ("é\ne\u0301\n".encode(), ["é", "e\u0301"]),
        (b"a\0b\n", ["a\0b"]),
    ],
)
def test_lines_of_a_text(data, lines):
    assert text_lines.lines(data, "file", ValueError) == lines


@pytest.mark.parametrize("way", ["feed", "many"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_in_pieces(size, way):
    for data in (NASTY.encode(), NASTY.encode().replace(b"\n", b"\r")):
        reader = text_lines.Reader("file", ValueError)
        found = []
        for start in range(0, len(data), size):
            found += getattr(reader, way)(data[start : start + size])
        found += reader.finish()
        assert found == text_lines.lines(data, "file", ValueError)
        assert len(found) > 3


def test_a_line_is_given_when_it_ends():
    reader = text_lines.Reader("file", ValueError)
    assert list(reader.feed(b"one\ntw")) == ["one"]
    assert list(reader.feed(b"o\r\n")) == ["two"]
    assert list(reader.finish()) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff", "file, line 1: wanted UTF-8, got byte 0xff at position 1"),
        (b"a\nbc\xe4d", "line 2: wanted UTF-8, got byte 0xe4 at position 3"),
        (b"\xef\xbb\xbfa\n\n\xc3\n", "line 3: .* 0xc3 at position 1"),
        (b"a\n\xed\xa0\x80", "line 2: .* 0xed at position 1"),
        (b"a\rb\xff", "line 2: .* 0xff at position 2"),
        ("a\n".encode("utf-16"), "line 1: .* 0xff at position 1"),
    ],
)
def test_what_is_no_utf_8_is_named(data, says):
    class Refusal(Exception):
        pass

    with pytest.raises(Refusal, match=says) as caught:
        text_lines.lines(data, "file", Refusal)
    assert "\n" not in str(caught.value)


def test_the_lines_before_a_bad_one_are_given():
    given = []
    with pytest.raises(ValueError, match="line 3"):
        for line in text_lines.Reader("x", ValueError).feed(b"a\nb\n\xff\nc\n"):
            given.append(line)
    assert given == ["a", "b"]


def test_a_line_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(text_lines, "_LONGEST", 10)
    reader = text_lines.Reader("x", ValueError)
    assert list(reader.feed(b"a\n0123456789")) == ["a"]
    with pytest.raises(ValueError, match="x, line 2: wanted .* 10 bytes"):
        list(reader.feed(b"0"))
