"""What it costs to tokenise and batch Multi30k, 29,000 pairs.

Cold, nothing is there but the texts: the vocabulary is learnt, the training
split is encoded, sorted into buckets, and one epoch of batches is planned.
Warm, vocabulary and ids come from the cache. And the parts by themselves.

The texts are those that TFDS's files were decoded to before, once.

With ``--pairs`` also a corpus of the user's own, of so many made-up pairs: the
first and the second start, and the peak of memory of each.

Run: python benchmarks/translation_data.py --data_dir=DIR --pairs=1000000
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import _common
import _own_corpus
from _common import Case, Target, Timing

COLD, WARM = "cold: texts to batches", "warm: texts to batches"
LEARN, ENCODE = "learn the vocabulary", "encode the pairs"
BUCKETS, EPOCH = "sort into buckets", "plan an epoch"
OWN_SUBWORDS = 32_768
SHAPES = (4, 8, 12, 16, 24, 48)


class Work:
    """The parts of the work, on a data directory of its own."""

    def __init__(self, folder: Path, flags: Any) -> None:
        """Loads the training split once.

        Args:
            folder: holds the decoded texts.
            flags: ``vocabulary_size``, ``batch_tokens``, ``max_length``.
        """
        from ls_tf.data import multi30k
        from ls_tf.pipeline import corpus, vocabulary

        self._folder, self._flags = folder, flags
        self._pairs = corpus.load_pairs(multi30k, "train", data_dir=folder)
        self._sentences = [*self._pairs.source, *self._pairs.target]
        self._subwords = vocabulary.learn(
            self._sentences, flags.vocabulary_size, cache_dir=None, name="m"
        )
        self._lengths = [
            self._subwords.encode(side).lengths
            for side in (self._pairs.source, self._pairs.target)
        ]
        self.plan = self.buckets()

    def forget(self) -> None:
        """Deletes all that is kept beside the texts."""
        for name in ("subwords", "tokens"):
            shutil.rmtree(
                self._folder / "ls_tf_arrays" / name, ignore_errors=True
            )

    def whole(self) -> None:
        """From the texts to the batches of one epoch."""
        from ls_tf.data import multi30k
        from ls_tf.pipeline import corpus

        tokens = corpus.load(
            multi30k,
            train="train",
            vocabulary_size=self._flags.vocabulary_size,
            data_dir=self._folder,
        ).split("train")
        self.epoch(self._planned(tokens.source.lengths, tokens.target.lengths))

    def learn(self) -> None:
        """Learns the vocabulary."""
        from ls_tf.pipeline import vocabulary

        vocabulary.learn(
            self._sentences,
            self._flags.vocabulary_size,
            cache_dir=None,
            name="m",
        )

    def encode(self) -> None:
        """Encodes both sides."""
        self._subwords.encode(self._pairs.source)
        self._subwords.encode(self._pairs.target)

    def _planned(self, *lengths: Any, **options: int) -> Any:
        from ls_tf.pipeline import batching

        return batching.BucketPlan(
            *lengths,
            batch_tokens=self._flags.batch_tokens,
            max_length=self._flags.max_length,
            seed=0,
            **options,
        )

    def buckets(self, **options: int) -> Any:
        """Sorts the pairs into buckets."""
        return self._planned(*self._lengths, **options)

    def epoch(self, plan: Any = None) -> None:
        """Plans the steps of an epoch, as an engine asks for them."""
        plan = plan or self.buckets()
        step = 0
        while step < plan.steps_per_epoch:
            step += len(plan.steps(step, 100)["index"])


def cases(work: Work) -> dict[str, Case]:
    """What is timed; seconds for the whole split."""

    def cold() -> float:
        work.forget()
        return _common.timed(work.whole, 1)()

    def epoch() -> float:
        plan = work.buckets()
        return _common.timed(lambda: work.epoch(plan), 1)()

    return {
        COLD: cold,
        WARM: _common.timed(work.whole, 1),  # after a cold one
        LEARN: _common.timed(work.learn, 1),
        ENCODE: _common.timed(work.encode, 1),
        BUCKETS: _common.timed(work.buckets, 1),
        EPOCH: epoch,
    }


def conclude(
    timings: dict[str, Timing], work: Work
) -> tuple[dict[str, Any], list[Target]]:
    """Prints the tables; gives padding, shapes and targets."""
    _common.table(
        ("29,000 pairs", "median s", "min s"),
        [(name, t.median, t.min) for name, t in timings.items()],
    )
    rows = []
    for most in SHAPES:
        plan = work.buckets(most_shapes=most)
        rows.append(
            (most, len(plan.shapes), 100 * plan.padding, plan.steps_per_epoch)
        )
    head = ("most shapes", "shapes", "padding %", "steps per epoch")
    _common.table(head, rows)
    plan = work.plan
    results = {
        "shapes": [list(shape) for shape in plan.shapes],
        "padding": plan.padding,
        "steps_per_epoch": plan.steps_per_epoch,
        "left_out": plan.left_out,
        "by_most_shapes": [dict(zip(head, row, strict=True)) for row in rows],
    }
    targets = [
        Target("seconds cold", 5.0, timings[COLD].median, at_most=True),
        Target("seconds warm", 1.0, timings[WARM].median, at_most=True),
        Target("padding", 0.15, plan.padding, at_most=True),
        Target("shapes", 24, len(plan.shapes), at_most=True),
    ]
    return results, targets


def own_corpus(own: dict[str, Any], pairs: int) -> list[Target]:
    """Prints what a start on a user's corpus takes; gives the targets."""
    _common.table(
        (f"{pairs:,} pairs of one's own", "s", "CPU s", "bytes a pair"),
        [
            (
                f"{name} start",
                start["seconds"],
                start["cpu_seconds"],
                start["bytes_per_pair"],
            )
            for name, start in own.items()
        ],
    )
    second, size = own["second"], f"{pairs:,} pairs"
    return [
        Target(
            f"second start on {size}, s", 10.0, second["seconds"], at_most=True
        ),
        *(
            Target(
                f"{name} start on {size}, bytes a pair",
                1000.0,
                start["bytes_per_pair"],
                at_most=True,
            )
            for name, start in own.items()
        ),
    ]


def main() -> int:
    """Measures, prints and writes."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=7)
    parser.add_argument(
        "--data_dir",
        type=Path,
        default=os.environ.get("TFDS_DATA_DIR"),
        help="where Multi30k lies; default: TFDS_DATA_DIR",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=0,
        help="pairs of a corpus of the user's own; default: none is made",
    )
    parser.add_argument("--vocabulary_size", type=int, default=8000)
    parser.add_argument("--batch_tokens", type=int, default=4096)
    parser.add_argument("--max_length", type=int, default=256)
    flags = parser.parse_args()
    _common.start()
    about = _common.machine()
    from ls_tf.data import multi30k
    from ls_tf.pipeline import corpus
    from ls_tf.pipeline.contract import DataError

    try:
        corpus.load_pairs(multi30k, "train", data_dir=flags.data_dir)
    except DataError as error:
        print(f"skipped: {error}")
        return 0
    texts = Path(flags.data_dir, "ls_tf_arrays", "multi30k")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(texts, Path(folder, "ls_tf_arrays", "multi30k"))
        work = Work(Path(folder), flags)
        timings = _common.interleaved(cases(work), repeats=flags.repeats)
        results, targets = conclude(timings, work)
    if flags.pairs:
        with tempfile.TemporaryDirectory() as folder:
            own = _own_corpus.measure(Path(folder), flags.pairs, OWN_SUBWORDS)
        results["own_corpus"] = own
        targets += own_corpus(own, flags.pairs)
    _common.finish(
        "translation_data",
        flags,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
        others=_common.versions("sentencepiece"),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
