"""A report's table goes between its markers; every other byte stays."""

import pytest

from ls_tf.pages.blocks import ReportError
from ls_tf.pages.splice import Marked

OPEN, CLOSE = b"<!-- report:fig1 -->", b"<!-- /report:fig1 -->"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [b"", b"x"])
def test_line_ends_and_all_else_stay(tmp_path, end, start, last):
    file = tmp_path / "README.md"
    before = start + b"a" + end + b"\tb \xc3\xa4" + end + OPEN
    after = CLOSE + end + b"mixed\nand\r\nboth" + last
    file.write_bytes(before + end + b"old" + end + after)
    for _ in range(2):
        Marked(str(file), "fig1").write("\n\n| a |\n\n")
        inner = end + end + b"| a |" + end + end
        assert file.read_bytes() == before + inner + after


def test_markers_on_the_first_line(tmp_path):
    file = tmp_path / "README.md"
    file.write_bytes(OPEN + CLOSE)
    Marked(str(file), "fig1").write("\nx\n")
    assert file.read_bytes() == OPEN + b"\nx\n" + CLOSE


def test_a_link_and_permissions_stay(tmp_path):
    file, link = tmp_path / "real.md", tmp_path / "README.md"
    file.write_bytes(OPEN + b"\r\n" + CLOSE)
    file.chmod(0o640)
    link.symlink_to(file)
    Marked(str(link), "fig1").write("\nx\n")
    assert link.is_symlink()
    assert file.read_bytes() == OPEN + b"\r\nx\r\n" + CLOSE
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "content",
    [
        b"",
        OPEN,
        CLOSE,
        CLOSE + OPEN,
        OPEN + OPEN + CLOSE,
        OPEN + CLOSE + CLOSE,
        OPEN + CLOSE + OPEN + CLOSE,
        OPEN + b"<!-- report:fig2 -->" + CLOSE,
        OPEN + b"<!-- /report:fig2 -->" + CLOSE,
        OPEN + b"\xff" + CLOSE,
    ],
)
def test_other_markers_are_refused(tmp_path, content):
    file = tmp_path / "README.md"
    file.write_bytes(content)
    with pytest.raises(ReportError) as caught:
        Marked(str(file), "fig1")
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == content
