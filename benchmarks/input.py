"""Images per second from JPEGs of 500 x 375 to what a network is given.

Ours in one process, and streamed by one and by two processes, beside
torchvision's Pillow loader and tf.data; and three decoders. All make uint8
images of 299 x 299 by a random part, bilinear resizing, a flip, brightness
and saturation. Pictures are made up; nothing is downloaded.

Run: python benchmarks/input.py --peer_python=PYTHON --out=results/benchmarks
"""

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _common
from _common import Case, Target, Timing
from _input_peer import (
    BATCH,
    LOADER_ONE,
    LOADER_TWO,
    TFDATA_ONE,
    TFDATA_TWO,
    TORCHVISION,
    timed_batches,
)
from _workers import Worker, add_peer_flag, timed

SHAPES = ((375, 500),)
RECIPE = "inception"
SEED = 0
OURS, ONE, TWO = "ours", "streamed, 1 process", "streamed, 2 processes"
DECODERS = ("decoding, simplejpeg", "decoding, OpenCV", "decoding, Pillow")


def pictures(folder: Path, count: int) -> Any:
    """Writes made-up pictures as records and as files.

    Returns:
        The records.
    """
    import types

    from etils import epath

    from ls_tf.pipeline import shards, stand_in
    from ls_tf.pipeline.contract import RecordInfo

    records = epath.Path(folder / "records")
    sizes = {"train": count}
    stand_in.write(records, "made", sizes, classes=range(1000), shapes=SHAPES)
    info = RecordInfo(
        name="made",
        sizes=sizes,
        num_classes=1000,
        class_names=tuple(map(str, range(1000))),
        licence="none",
        source="made up",
    )
    module: Any = types.SimpleNamespace(
        INFO=info, prepare=lambda *, data_dir: str(records)
    )
    found = shards.find(module, "train", data_dir=None)
    files = folder / "files" / "all"
    files.mkdir(parents=True)
    for i in range(count):
        (files / f"{i:05d}.jpg").write_bytes(found.read(i).encoded)
    return found


def ours(records: Any, count: int) -> dict[str, Case]:
    """One process that decodes and augments; streams of one and of two."""
    from ls_tf.pipeline import draws, photographs, stream
    from ls_tf.pipeline.plan import EpochPlan

    recipe = photographs.recipe(RECIPE)

    def alone() -> None:
        for i in range(count):
            encoded = records.read(i % len(records)).encoded
            recipe.train(encoded, draws.of_example(SEED, 0, i))

    def streamed(processes: int) -> Case:
        made = stream.Stream(
            records,
            EpochPlan(len(records), BATCH, SEED),
            recipe=RECIPE,
            seed=SEED,
            steps=10**6,
            processes=processes,
        )

        def case() -> float:
            try:
                return timed_batches(
                    (made.batches(i, 1, (0, 1)) for i in range(10**6)), count
                )
            finally:
                made.close()  # else it would work on beside the next case

        return case

    return {
        OURS: _common.timed(alone, count),
        ONE: streamed(1),
        TWO: streamed(2),
    }


def decoders(records: Any, count: int) -> dict[str, Case]:
    """Whole pictures decoded, in one process."""
    import cv2
    import numpy as np
    import simplejpeg
    from PIL import Image

    encoded = [records.read(i % len(records)).encoded for i in range(count)]

    def opencv(data: bytes) -> Any:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)

    def pillow(data: bytes) -> Any:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image)

    def case(decode: Callable[[bytes], Any]) -> Case:
        def work() -> None:
            for data in encoded:
                decode(data)

        return _common.timed(work, count)

    ways = (simplejpeg.decode_jpeg, opencv, pillow)
    return {n: case(way) for n, way in zip(DECODERS, ways, strict=True)}


def conclude(
    timings: dict[str, Timing],
) -> tuple[dict[str, float], list[Target]]:
    """Prints images per second; gives ratios and targets."""
    rates = {name: 1 / t.median for name, t in timings.items()}
    _common.table(
        ("case", "images/s", "best"),
        [(name, rate, 1 / timings[name].min) for name, rate in rates.items()],
    )
    results = {f"images per second, {n}": rate for n, rate in rates.items()}
    results["two processes over one"] = rates[TWO] / rates[ONE]
    targets = []
    if TORCHVISION in rates:
        ratio = rates[OURS] / rates[TORCHVISION]
        results["per core over torchvision"] = ratio
        name = "photographs: images per second per core over torchvision"
        targets.append(Target(name, 1.5, ratio))
    return results, targets


def main() -> int:
    """Measures, prints and writes."""
    parser = _common.arguments(__doc__ or "", repeats=7)
    parser.add_argument("--images", type=int, default=512, help="of a round")
    add_peer_flag(parser, "torchvision")
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=["torchvision", "tfdata"],
        help="without these",
    )
    flags = parser.parse_args()
    _common.start()
    about = _common.machine()
    file = str(Path(__file__).with_name("_input_peer.py"))
    others: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = pictures(folder, 256)
        count = flags.images
        cases = ours(records, count) | decoders(records, count)
        workers = []
        for kind, python, names in (
            (
                "torchvision",
                flags.peer_python,
                (TORCHVISION, LOADER_ONE, LOADER_TWO),
            ),
            ("tfdata", sys.executable, (TFDATA_ONE, TFDATA_TWO)),
        ):
            if kind in flags.skip:
                continue
            worker = Worker([python, file, kind, str(folder / "files")])
            workers.append(worker)
            others |= worker.facts
            cases |= {n: worker.case(n, count) for n in names}
        timings = timed(cases, workers, flags.repeats)
    results, targets = conclude(timings)
    _common.finish(
        "input",
        flags,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
        skipped={kind: "not asked for" for kind in flags.skip},
        others={
            **others,
            **_common.versions(
                "grain", "simplejpeg", "opencv-python-headless", "pillow"
            ),
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
