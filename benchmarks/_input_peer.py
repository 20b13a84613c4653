"""The other ways to decode and augment, each in a process of its own.

``torchvision``: what its users run, a file loaded by Pillow and the transforms
that come nearest to ours, image by image; and its loader of several processes.
``tfdata``: the same distortions as a graph of TensorFlow's operations, whose
threads are those of ``tf.data``.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SIZE = 299
TORCHVISION, LOADER_ONE, LOADER_TWO = (
    "torchvision, Pillow",
    "torchvision, loader of 1 process",
    "torchvision, loader of 2 processes",
)
TFDATA_ONE, TFDATA_TWO = "tf.data, 1 thread", "tf.data, 2 threads"
BATCH = 64
_AHEAD = 8  # batches that may be ready, or half so, when one is given


def timed_batches(batches: Iterator[Any], units: int) -> float:
    """Seconds for each image, once what was made ahead is used up.

    Args:
        batches: of ``BATCH`` images each.
        units: images to time, rounded up to batches.
    """
    for _ in range(_AHEAD):
        next(batches)
    count = -(-units // BATCH)
    began = time.perf_counter()
    for _ in range(count):
        next(batches)
    return (time.perf_counter() - began) / (count * BATCH)


def torchvision(folder: Path) -> None:
    """Serves the cases of torchvision; its labels are all one class."""
    from _workers import private_stdout, serve

    answers = private_stdout()
    import torch
    from torchvision import __version__, datasets, transforms
    from torchvision.datasets.folder import default_loader

    torch.set_num_threads(1)
    torch.manual_seed(0)
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(
                SIZE, scale=(0.1, 1.0), ratio=(0.75, 1.33)
            ),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(brightness=32 / 255, saturation=0.5),
            transforms.PILToTensor(),  # uint8, as ours
        ]
    )
    files = [str(f) for f in sorted((folder / "all").iterdir())]

    def alone(units: int) -> float:
        began = time.perf_counter()
        for i in range(units):
            transform(default_loader(files[i % len(files)]))
        return time.perf_counter() - began

    def with_loader(workers: int) -> Any:
        data = datasets.ImageFolder(str(folder), transform)
        loader = torch.utils.data.DataLoader(
            torch.utils.data.ConcatDataset([data] * 1000),
            batch_size=BATCH,
            shuffle=True,
            num_workers=workers,
        )
        return lambda units: timed_batches(iter(loader), units) * units

    works = {
        TORCHVISION: alone,
        LOADER_ONE: with_loader(1),
        LOADER_TWO: with_loader(2),
    }
    facts = {"torch": torch.__version__, "torchvision": __version__}
    serve(answers, facts, works)


def tfdata(folder: Path) -> None:
    """Serves the cases of tf.data."""
    from _workers import private_stdout, serve

    answers = private_stdout()
    import tensorflow as tf

    encoded = [f.read_bytes() for f in sorted((folder / "all").iterdir())]
    whole = tf.constant([[[0.0, 0.0, 1.0, 1.0]]])

    def distort(data: Any, number: Any) -> Any:
        seed = tf.stack([tf.cast(number, tf.int32), 7])
        begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            tf.io.extract_jpeg_shape(data),
            whole,
            seed,
            min_object_covered=0.1,
            aspect_ratio_range=(0.75, 1.33),
            area_range=(0.05, 1.0),
            max_attempts=100,
        )
        window = tf.concat([begin[:2], size[:2]], 0)
        image = tf.io.decode_and_crop_jpeg(data, window, channels=3)
        image = tf.image.resize(image, (SIZE, SIZE)) / 255
        image = tf.image.stateless_random_flip_left_right(image, seed)
        image = tf.image.stateless_random_brightness(image, 32 / 255, seed)
        image = tf.image.stateless_random_saturation(image, 0.5, 1.5, seed)
        return tf.cast(tf.clip_by_value(image, 0, 1) * 255 + 0.5, tf.uint8)

    def with_threads(threads: int) -> Any:
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        options.threading.max_intra_op_parallelism = 1
        data = tf.data.Dataset.from_tensor_slices(encoded).repeat()
        data = data.enumerate().map(
            lambda number, data: distort(data, number),
            num_parallel_calls=threads,
            deterministic=True,
        )
        batches = data.batch(BATCH).prefetch(2).with_options(options)
        return lambda units: timed_batches(iter(batches), units) * units

    works = {TFDATA_ONE: with_threads(1), TFDATA_TWO: with_threads(2)}
    serve(answers, {"tensorflow": tf.__version__}, works)


if __name__ == "__main__":
    {"torchvision": torchvision, "tfdata": tfdata}[sys.argv[1]](
        Path(sys.argv[2])
    )
