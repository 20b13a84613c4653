"""A start on a corpus of the user's own: seconds and memory, in a process.

``measure`` writes a corpus and starts twice on it, each time in a process of
its own, whose peak of memory is its own: first nothing is kept, then all is.
Run by itself it is that process.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_HELD_OUT = 2000
_WORDS = 60_000
_LETTERS = {"en": "bcdfghjklmnprstvwz", "de": "bcdfghjklmnprstvwz"}
_VOWELS = "aeiouyäö"
_CHUNK = 10_000


def write(prefix: Path, pairs: int) -> None:
    """Writes two files of made-up sentences, 20 words each in the mean.

    Words are drawn as often as Zipf's law has it; the same corpus each time.

    Args:
        prefix: ``prefix.en`` and ``prefix.de`` are written.
        pairs: how many.
    """
    import numpy as np

    for seed, (language, letters) in enumerate(_LETTERS.items()):
        draw = np.random.default_rng(seed)
        syllables = [a + b for a in letters for b in _VOWELS]
        words = np.array(
            [
                "".join(draw.choice(syllables, draw.integers(1, 6)))
                for _ in range(_WORDS)
            ]
        )
        share = 1 / np.arange(1, _WORDS + 1)
        # Both sides of a pair have as many words.
        lengths = np.random.default_rng(9).lognormal(2.9, 0.5, pairs)
        lengths = lengths.astype(int).clip(3, 90)
        with Path(f"{prefix}.{language}").open("w", encoding="utf-8") as file:
            for first in range(0, pairs, _CHUNK):
                counts = lengths[first : first + _CHUNK]
                drawn = draw.choice(
                    words, int(counts.sum()), p=share / share.sum()
                )
                for some in np.split(drawn, counts.cumsum()[:-1]):
                    file.write(" ".join(some) + ".\n")


def measure(folder: Path, pairs: int, vocabulary_size: int) -> dict[str, Any]:
    """Starts on a corpus for the first and for the second time.

    Args:
        folder: where the corpus and what is kept of it go.
        pairs: of the corpus.
        vocabulary_size: subwords.

    Returns:
        dict: ``first`` and ``second``: ``seconds`` and ``cpu_seconds`` from
        the files to the first batches, ``peak_bytes`` of memory above that of
        the imports, ``bytes_per_pair`` of it.
    """
    write(folder / "own", pairs)
    found = {}
    for name in ("first", "second"):
        said = subprocess.check_output(
            [
                *(sys.executable, __file__, str(folder / "own")),
                *(str(folder / "data"), str(pairs), str(vocabulary_size)),
            ],
            text=True,
            stderr=subprocess.DEVNULL,
        )
        found[name] = json.loads(said)
    if found["first"]["ids"] != found["second"]["ids"]:
        raise SystemExit("the ids of the two starts differ")
    return found


def _peak() -> int:
    """Bytes of memory that the process has had at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _start(source: str, data_dir: str, pairs: int, size: int) -> None:
    import _common

    _common.start()
    import sentencepiece  # noqa: F401

    from ls_tf.data import parallel_files
    from ls_tf.pipeline import batching, corpus

    before, began, cpu = _peak(), time.perf_counter(), time.process_time()
    rest = pairs - _HELD_OUT
    loaded = corpus.load(
        parallel_files,
        train=f"train[:{rest}]",
        vocabulary_size=size,
        source=source,
        data_dir=data_dir,
    )
    train = loaded.split(f"train[:{rest}]")
    used = [train.usage, loaded.split(f"train[{rest}:]").usage]
    plan = batching.BucketPlan(
        train.source.lengths,
        train.target.lengths,
        batch_tokens=4096,
        max_length=256,
        seed=0,
    )
    plan.steps(0, 100)
    peak = _peak() - before
    found = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": peak,
        "bytes_per_pair": peak / pairs,
        "ids": [usage.sha256 for usage in used],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _start(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
