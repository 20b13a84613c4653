"""A recorded translation run as a tool: lines in, lines out."""

import contextlib
import functools
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, TextIO

from ls_tf import text_lines
from ls_tf.protocols import Decoding, Translator
from ls_tf.running import execute
from ls_tf.running.session import Session
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import RunIdentity

# Lines that are translated together; what a person sees come at once.
_TOGETHER = 512
# Longer lines are cut: memory grows with the square of the length.
_LONGEST = 1000


def check(identity: RunIdentity, runs_dir: str) -> None:
    """Refuses a run that cannot translate.

    Raises:
        SpecError: it is of another task, or not finished; one line.
    """
    if identity.spec.task != "translation":
        raise SpecError(
            f"--mode=translate: {identity.experiment} is no translation"
        )
    execute.record_of(identity, runs_dir)


def lines(stream: BinaryIO) -> Iterator[str]:
    """Reads lines of text as they come.

    Raises:
        SpecError: a line is not UTF-8; says which.
    """
    reader = text_lines.Reader("standard input", SpecError)
    for data in iter(functools.partial(stream.read, 1 << 16), b""):
        yield from reader.feed(data)
    yield from reader.finish()


def run(
    identity: RunIdentity,
    session: Session,
    texts: Iterable[str],
    output: TextIO | None = None,
) -> None:
    """Translates lines, one for one, in their order.

    Beam and length penalty are those of the experiment's own evaluation. An
    empty line stays empty; of one that is longer than 1,000 subwords the rest
    is left out, and a line on standard error says so.

    Args:
        identity: the run; see ``check``.
        session: the process's devices.
        texts: lines without their ends.
        output: where the translations go; default: standard output.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    output = output or sys.stdout
    with execute.trained(identity, session) as translator:
        if not isinstance(translator, Translator):
            raise TypeError(f"{identity.title} is no translation")
        how = _decoding(identity)
        for block in _blocks(texts):
            found, cut = translator.translate_lines(block, how, _LONGEST)
            for text in found:
                print(text, file=output)
            with contextlib.suppress(AttributeError):
                output.flush()
            if cut:
                print(
                    f"ls_tf: {cut} lines were cut after {_LONGEST} subwords",
                    file=sys.stderr,
                )


def _decoding(identity: RunIdentity) -> Decoding:
    for evaluator in identity.spec.evaluators:
        if evaluator.name == "translation":
            return Decoding(**evaluator.options)
    return Decoding()


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for text in texts:
        block.append(text)
        if len(block) == _TOGETHER:
            yield block
            block = []
    if block:
        yield block
