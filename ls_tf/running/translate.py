"""A recorded translation run as a tool: lines in, lines out."""

import io
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, cast

from ls_tf import stopping, streams, text_lines
from ls_tf.protocols import Decoding, Translator
from ls_tf.records.reading import reading
from ls_tf.running import execute
from ls_tf.running.session import Session
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import RunIdentity

_INPUT = "standard input"
# Lines that are translated together where they flow.
_TOGETHER = 512
# What has come is translated when nothing more comes for so long.
_PAUSE_SECONDS = 0.2
# Longer lines are cut: memory grows with the square of the length.
_LONGEST = 1000


def check(identity: RunIdentity, runs_dir: str) -> None:
    """Refuses a run that cannot translate.

    Raises:
        SpecError: it is of another task; one line.
        MissingRunError: it is not finished, or has no checkpoint; likewise.
    """
    if identity.spec.task != "translation":
        raise SpecError(
            f"--mode=translate: {identity.experiment} is no translation"
        )
    execute.refuse_without_network(identity, runs_dir)


def blocks(descriptor: int) -> Iterator[list[str]]:
    """Reads lines as they come, and gives those that have come together.

    What flows is given in blocks of 512 lines. Where nothing more comes, what
    has come is given a moment later, so that who asks line by line is answered
    line by line.

    Args:
        descriptor: an open file, pipe or terminal.

    Yields:
        One line or more.

    Raises:
        SpecError: a line is not UTF-8, or the input cannot be read; says
            which. The lines before were given.
        StoppedError: a signal came while nothing else did.

    Source: ours.
    """
    reader = text_lines.Reader(_INPUT, SpecError)
    waiting: list[str] = []
    since = 0.0  # when the first of them came
    is_open = True
    while is_open:
        left = max(since + _PAUSE_SECONDS - time.monotonic(), 0.0)
        if not stopping.readable(descriptor, left if waiting else None):
            yield waiting
            waiting = []
            continue
        with reading(_INPUT, "text", SpecError):
            data = os.read(descriptor, 1 << 16)
        is_open = bool(data)
        since = since if waiting else time.monotonic()
        try:
            for line in reader.feed(data) if data else reader.finish():
                waiting.append(line)
        except SpecError:
            yield from filter(None, _parts(waiting))
            raise
        *whole, waiting = _parts(waiting)
        yield from whole
    if waiting:
        yield waiting


def _parts(lines: list[str]) -> list[list[str]]:
    """Parts of 512 lines, and one of fewer."""
    starts = range(0, len(lines) + 1, _TOGETHER)
    return [lines[start : start + _TOGETHER] for start in starts]


def run(
    identity: RunIdentity,
    session: Session,
    texts: Iterable[list[str]],
    output: TextIO | None = None,
) -> None:
    """Translates lines, one for one, in their order.

    Beam and length penalty are those of the experiment's own evaluation. An
    empty line stays empty; of one that is longer than 1,000 subwords the rest
    is left out, and a line on standard error says so at the end.

    Args:
        identity: the run; see ``check``.
        session: the process's devices.
        texts: lines in blocks; see ``blocks``. The translations of a block
            are written before the next is asked for.
        output: where the translations go; default: standard output, as UTF-8.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    if output is None:
        output = sys.stdout
        # Whatever the locale says: what comes in is UTF-8 as well.
        cast(io.TextIOWrapper, output).reconfigure(encoding="utf-8")
    count, cut = 0, []
    with execute.trained(identity, session) as translator:
        if not isinstance(translator, Translator):
            raise TypeError(f"{identity.title} is no translation")
        how = _decoding(identity)
        try:
            with stopping.doing("translating"):
                for block in texts:
                    answers, long = translator.translate_lines(
                        block, how, _LONGEST
                    )
                    output.write("".join(f"{text}\n" for text in answers))
                    output.flush()
                    cut += [count + place + 1 for place in long]
                    count += len(block)
        finally:
            if cut:
                streams.say(
                    f"{len(cut)} of {count} lines were cut after "
                    f"{_LONGEST} subwords, the first is line {cut[0]}"
                )


def _decoding(identity: RunIdentity) -> Decoding:
    for evaluator in identity.spec.evaluators:
        if evaluator.name == "translation":
            return Decoding(**evaluator.options)
    return Decoding()
