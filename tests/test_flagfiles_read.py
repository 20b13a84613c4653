"""Files of flags: what is read, and what is refused in one line."""

import os

import pytest

from ls_tf import flagfiles
from ls_tf.spec import SpecError

BOM = b"\xef\xbb\xbf"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(folder, **files):
    for name, data in files.items():
        data = data if isinstance(data, bytes) else data.encode()
        (folder / f"{name}.flags").write_bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"--a=1\n--b=\xc3\xa4 c\n",
        b"--a=1\r\n--b=\xc3\xa4 c\r\n",
        b"--a=1\r--b=\xc3\xa4 c\r",
        b"--a=1\r--b=\xc3\xa4 c\n",
        BOM + b"--a=1\n--b=\xc3\xa4 c",
        BOM + b"# said first\r\n\r\n  --a=1  \r\n// more\r\n\t--b=\xc3\xa4 c",
        BOM + b"\n \n\t# --c\n--a=1\n--b=\xc3\xa4 c\n",
    ],
)
def test_the_same_flags_however_they_are_saved(folder, data):
    _write(folder, a=data)
    wanted = ["--a=1", "--b=ä c"]
    for words in (["--flagfile=a.flags"], ["-flagfile", "a.flags"]):
        assert flagfiles.expanded(["--x", *words, "y"]) == [
            *("--x", *wanted, "y")
        ]


def test_only_ends_of_lines_end_a_flag(folder):
    text = "--a=1\u2028--b=2\x0b--c\x0c--d\x85--e"
    _write(folder, a=text + "\n--f\n")
    assert flagfiles.expanded(["--flagfile=a.flags"]) == [text, "--f"]


def test_files_are_put_where_they_are_named(folder):
    _write(
        folder,
        a="--a=1\n--flagfile=b.flags\n--a=3\n--flagfile\nb.flags\n",
        b=BOM + b"--b=2\r\n",
    )
    assert flagfiles.expanded(["--c", "--flagfile=a.flags", "--d"]) == [
        *("--c", "--a=1", "--b=2", "--a=3", "--b=2", "--d")
    ]
    # After two hyphens there are no flags.
    words = ["--", "--flagfile=a.flags"]
    assert flagfiles.expanded(words) == words


def test_the_home_directory_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    _write(folder, a="--a")
    assert flagfiles.expanded(["--flagfile=~/a.flags"]) == ["--a"]


def _refused(*words):
    with pytest.raises(SpecError) as caught:
        flagfiles.expanded(words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_read_is_one_line(folder):
    _write(folder, bad=b"--a\n--b=\xff\n", wide="--a\n".encode("utf-16"))
    (folder / "folder").mkdir()
    missing = "no.flags cannot be read: No such file or directory"
    assert missing in _refused("--flagfile=no.flags")
    assert "cannot be read: Is a dir" in _refused("--flagfile=folder")
    for words in (["--flagfile"], ["--flagfile="], ["--flagfile= "]):
        assert "wanted the name of a file, got none" in _refused(*words)
    assert "bad.flags, line 2: wanted UTF-8, got byte 0xff" in _refused(
        "--flagfile=bad.flags"
    )
    assert "line 1: wanted UTF-8" in _refused("--flagfile=wide.flags")
    assert "null byte" in _refused("--flagfile=a\0b")
    assert "name too long" in _refused(f"--flagfile={'a' * 300}")
    # A file that has no end is not read to its end.
    assert "at most 1048576 bytes" in _refused("--flagfile=/dev/zero")


def test_files_that_name_themselves_are_refused(folder):
    _write(
        folder, a="--flagfile=b.flags", b="--x\n--flagfile=c.flags\n", n="--y"
    )
    os.symlink("a.flags", "c.flags")
    assert "c.flags: the file names itself" in _refused("--flagfile=a.flags")
    # Twice, but not within itself, is no circle.
    assert flagfiles.expanded(["--flagfile=n.flags"] * 2) == ["--y"] * 2


def test_the_depth_has_a_bound(folder):
    _write(folder, **{f"f{i}": f"--flagfile=f{i + 1}.flags" for i in range(30)})
    assert "20 deep" in _refused("--flagfile=f0.flags")
