"""Lines in, lines out: what is read when, and what is said; no network."""

import contextlib
import io
import os
import signal
import sys
import threading

import pytest

from ls_tf import stopping
from ls_tf.protocols import Translator
from ls_tf.running import translate
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve

# A pause that nobody waits out: a test that would need it does not end.
FOREVER = 1e6


@pytest.fixture
def pipe():
    ends = list(os.pipe())
    with os.fdopen(ends[1], "wb", buffering=0) as writer:
        yield ends[0], writer
    os.close(ends[0])


def pause(monkeypatch, seconds):
    monkeypatch.setattr(translate, "_PAUSE_SECONDS", seconds)


def of_file(path):
    with path.open("rb") as stream:
        return list(translate.blocks(stream.fileno()))


def test_what_flows_is_given_in_blocks(pipe, monkeypatch, tmp_path):
    pause(monkeypatch, FOREVER)
    lines = [f"line {i}" for i in range(1100)]
    data = "\n".join(lines).encode()
    descriptor, writer = pipe

    def write():
        # In pieces that end anywhere.
        for start in range(0, len(data), 777):
            writer.write(data[start : start + 777])
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    found = list(translate.blocks(descriptor))
    thread.join()
    assert [len(block) for block in found] == [512, 512, 76]
    assert [line for block in found for line in block] == lines
    (tmp_path / "file").write_bytes(data)
    assert of_file(tmp_path / "file") == found


def test_what_has_come_is_given_when_the_input_pauses(pipe, monkeypatch):
    pause(monkeypatch, 0.01)
    descriptor, writer = pipe
    blocks = translate.blocks(descriptor)
    for text, block in (
        (b"one\n", ["one"]),
        (b"two\r\nthree\nfo", ["two", "three"]),
        (b"ur\n", ["four"]),
    ):
        writer.write(text)
        assert next(blocks) == block
    writer.write(b"five")
    writer.close()
    assert list(blocks) == [["five"]]


def test_what_comes_slowly_without_a_pause_is_not_held_back(pipe, monkeypatch):
    # Each line comes before a pause, counted from the line before, is over.
    pause(monkeypatch, 0.05)
    descriptor, writer = pipe
    stop = threading.Event()

    def write():
        while not stop.wait(0.01):
            writer.write(b"again\n")

    thread = threading.Thread(target=write)
    thread.start()
    block = next(translate.blocks(descriptor))
    stop.set()
    thread.join()
    assert 0 < len(block) < 100


def test_the_lines_before_a_bad_one_are_given(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"a\n" * 899 + b"b\xff\nc\n")
    with file.open("rb") as stream:
        blocks = translate.blocks(stream.fileno())
        assert [len(next(blocks)) for _ in range(2)] == [512, 387]
        with pytest.raises(SpecError) as caught:
            next(blocks)
    assert str(caught.value).startswith(
        "standard input, line 900: wanted UTF-8, got byte 0xff at position 2"
    )


def test_the_input_is_read_as_a_corpus_is(tmp_path):
    file = tmp_path / "file"
    file.write_bytes("\ufeff eins\u2028 \r\n\n\tzwei\x0bdrei".encode())
    assert of_file(file) == [["eins", "", "zwei\x0bdrei"]]
    file.write_bytes(b"one\rtwo\r")
    assert of_file(file) == [["one", "two"]]
    file.write_bytes(b"")
    assert of_file(file) == []


def test_what_cannot_be_read_is_one_line(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(SpecError, match="standard input cannot be read: Is a"):
        next(translate.blocks(descriptor))
    os.close(descriptor)


# --- From blocks to translations --------------------------------------------


class Upper:
    """A translator that writes in capitals; a line of "long" is cut."""

    def translate_lines(self, lines, how, longest):
        self.how = how
        cut = [i for i, line in enumerate(lines) if line == "long"]
        return [line.upper() for line in lines], cut


for _name in dir(Translator):
    if not _name.startswith("_") and not hasattr(Upper, _name):
        setattr(Upper, _name, NotImplemented)
Upper.spec = Upper.model = NotImplemented


@pytest.fixture
def translated(monkeypatch):
    identity = resolve("transformer_numbers", smoke=True)
    upper = Upper()
    monkeypatch.setattr(
        translate.execute,
        "trained",
        lambda *_: contextlib.nullcontext(upper),
    )

    def run(texts, output):
        translate.run(identity, None, texts, output)
        return upper.how

    return run


def test_each_block_is_written_before_the_next_is_read(translated, capsys):
    output = io.StringIO()

    def texts():
        yield ["eins", "", "ß ▁"]
        assert output.getvalue() == "EINS\n\nSS ▁\n"
        yield ["long", "short"]
        raise SpecError("line 6 is bad")

    with pytest.raises(SpecError, match="line 6 is bad"):
        translated(texts(), output)
    assert output.getvalue().endswith("\nLONG\nSHORT\n")
    assert capsys.readouterr().err == (
        "ls_tf: 1 of 5 lines were cut after 1000 subwords, the first is line "
        "4\n"
    )


def test_the_search_is_that_of_the_measurement(translated):
    how = translated([["a"]], io.StringIO())
    assert (how.beam_size, how.length_penalty) == (4, 0.6)


def test_translations_are_utf_8_in_every_locale(translated, monkeypatch):
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, "ascii"))
    translated([["ä ▁"]], None)
    assert data.getvalue() == "Ä ▁\n".encode()


def test_a_request_to_stop_is_seen_while_nothing_comes(pipe):
    descriptor, writer = pipe
    with stopping.listening():
        writer.write(b"half a li")
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(stopping.StoppedError):
            next(translate.blocks(descriptor))
        timer.join()
