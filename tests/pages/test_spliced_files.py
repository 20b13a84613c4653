"""A table goes between two markers; the rest of the file is not ours."""

import codecs
import os
import stat

import pytest
from etils.epath import Path

from ls_tf.pages import splice, tables
from ls_tf.pages.blocks import ReportError, Table
from ls_tf.records import files, local

OPEN, CLOSE = b"<!-- report:mine -->", b"<!-- /report:mine -->"
OTHER = b"<!-- report:other -->", b"<!-- /report:other -->"
ROWS = (b"", b"", b"| x |", b"| ---: |", b"| 1 |", b"", b"Caption.", b"", b"")
TABLE = Table("t", "Caption.", ("x",), ("",), ((1,),))


def block(end=b"\n"):
    return OPEN + end.join(ROWS) + CLOSE


def split(before, after):
    return before + OPEN + b"\nold\n" + CLOSE + after


@pytest.fixture
def readme(tmp_path):
    return Path(tmp_path / "README.md")


def put(path, table=TABLE):
    text = f"\n\n{tables.markdown(table)}\n"
    splice.Marked(str(path), "mine").write(text)


def write(path, data, table=TABLE):
    path.write_bytes(data)
    put(path, table)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("before", "after", "end"),
    [
        (b"# \xc3\x9c\r\n\r\n", b"\r\nend\r\n", b"\r\n"),
        (b"# a\n", b"\nend\n", b"\n"),
        (b"# a\r", b"\rend\r", b"\r"),
        (b"# a\n", b"\nno last end", b"\n"),
        (b"", b"", b"\n"),
        (codecs.BOM_UTF8 + b"a\r\n", b"", b"\r\n"),
        # Mixed: the line before decides, and each keeps its own.
        (b"a\r\nb\nc\r\nd\re\r\n", b"\nf\x00\x0c\xe2\x80\xa8", b"\r\n"),
        (b"a\nb\r\nc\n", b"\n\n\r\n\r", b"\n"),
        (OTHER[0] + b"\nkept\n" + OTHER[1], b"\n" + b"".join(OTHER), b"\n"),
        (b"a \r\n`report:mine`\r\n", b" text behind\r\n", b"\r\n"),
    ],
)
def test_all_bytes_around_the_block_stay(before, after, end, readme):
    wanted = before + block(end) + after
    assert write(readme, split(before, after)) == wanted
    assert write(readme, wanted) == wanted


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no markers",
        OPEN,
        CLOSE,
        CLOSE + OPEN,
        OPEN + OPEN + CLOSE,
        OPEN + CLOSE + CLOSE,
        (OPEN + CLOSE) * 2,
        OPEN + OTHER[0] + CLOSE,
        OPEN + OTHER[0] + OTHER[1] + CLOSE,
        OTHER[0] + OPEN + CLOSE + OTHER[1],
        OTHER[0] + OPEN + OTHER[1] + CLOSE,
        OPEN.replace(b" ", b"") + CLOSE,
        (OPEN + CLOSE).decode().encode("utf-16"),
        OPEN + CLOSE + "Ü".encode("latin-1"),
        b"a\r\nb\r\n\xff" + OPEN + CLOSE,
    ],
)
def test_a_file_without_one_pair_of_markers_is_one_line(data, readme):
    readme.write_bytes(data)
    with pytest.raises(ReportError) as caught:
        put(readme)
    assert str(readme) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert readme.read_bytes() == data


def test_no_text_of_a_table_is_a_marker(readme):
    note = "<!-- /report:mine --><!-- report:other -->\r\n\n<!--"
    table = Table("t", note, (note,), ("",), ((note,), ("|\n\n",)))
    once = write(readme, split(b"a\n", b"\nb"), table)
    assert once.count(b"<!--") == 2
    assert write(readme, once, table) == once
    assert write(readme, once) == b"a\n" + block() + b"\nb"


def test_what_was_written_meanwhile_is_kept(readme):
    readme.write_bytes(split(b"a\n", b"\n"))
    marked = splice.Marked(str(readme), "mine")
    readme.write_bytes(split(b"b\n", b"\n"))
    marked.write("\n")
    assert readme.read_bytes() == b"b\n" + OPEN + b"\n" + CLOSE + b"\n"
    readme.write_bytes(b"no markers")
    with pytest.raises(ReportError):
        marked.write("\n")
    assert readme.read_bytes() == b"no markers"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_a_file_keeps_its_mode(mode, readme):
    readme.write_bytes(split(b"", b""))
    os.chmod(readme, mode)
    put(readme)
    assert stat.S_IMODE(os.stat(readme).st_mode) == mode
    assert readme.read_bytes() == block()


def test_a_link_stays_one_and_its_target_is_written(readme, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/real.md").write_bytes(split(b"", b""))
    (tmp_path / "docs/second").symlink_to("real.md")
    os.symlink("docs/second", readme)
    put(readme)
    assert os.readlink(readme) == "docs/second"
    assert os.readlink(tmp_path / "docs/second") == "real.md"
    assert (tmp_path / "docs/real.md").read_bytes() == block()
    assert {p.name for p in (tmp_path / "docs").iterdir()} == {
        "real.md",
        "second",
    }


def test_what_is_no_file_is_one_line(readme, tmp_path):
    os.symlink("nowhere", readme)
    os.mkfifo(tmp_path / "pipe")
    os.symlink("loop", tmp_path / "loop")
    for name in ("README.md", "pipe", "loop", ".", "none/README.md", "a\0b"):
        with pytest.raises(ReportError, match="cannot be read|damaged"):
            splice.Marked(str(tmp_path / name), "mine")


def test_a_failed_write_leaves_the_file_and_nothing_beside_it(
    readme, tmp_path, monkeypatch
):
    def full(path, content):
        path.write_bytes(content[:5])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(files, "_put", full)
    with pytest.raises(OSError, match="No space"):
        write(readme, split(b"", b""))
    assert readme.read_bytes() == split(b"", b"")
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


def test_a_folder_that_may_not_be_written_to_is_one_line(readme, monkeypatch):
    readme.write_bytes(split(b"", b""))
    monkeypatch.setattr(local, "may_write", lambda folder: False)
    with pytest.raises(ReportError, match="cannot be written: Permission"):
        splice.Marked(str(readme), "mine")
