"""Made-up photographs in files of the real form: JPEGs in ArrayRecord files.

They stand in for a set that must be downloaded, where a pipeline is tried
and not a network. A picture is a few blobs of colour that its class decides,
with noise of its own, so that a network can tell the classes apart.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from absl import logging
from etils import epath

from ls_tf import seeds
from ls_tf.pipeline import array_cache, jpeg, record_files
from ls_tf.pipeline.contract import RecordInfo
from ls_tf.pipeline.draws import Draws
from ls_tf.pipeline.shards import Example
from ls_tf.records.reading import line

# Height and width as ImageNet has them most often.
PHOTOGRAPHS = ((375, 500), (500, 375), (333, 500), (500, 500), (240, 320))
# For tests and small runs.
SMALL = ((96, 128), (128, 96), (90, 135))
_PER_FILE = 64
_VERSION = "1"  # of the pictures
_BLOBS = (6, 8)


def picture(label: int, number: int, shape: tuple[int, int]) -> np.ndarray:
    """Paints a picture.

    Args:
        label: class id.
        number: another one, another picture.
        shape: height and width.

    Returns:
        uint8 [H, W, 3].

    Source: ours.
    """
    height, width = shape
    blobs = _noise((*_BLOBS, 3), "class", label)
    own = _noise((2 * _BLOBS[0], 2 * _BLOBS[1], 3), "picture", number)
    fine = _noise((height, width, 1), "grain", number)
    size = (width, height)
    image = 0.55 * cv2.resize(blobs, size, interpolation=cv2.INTER_CUBIC)
    image += 0.3 * cv2.resize(own, size, interpolation=cv2.INTER_CUBIC)
    image += 0.15 * fine
    levels: np.ndarray = np.clip(image, 0, 255)
    return levels.astype(np.uint8)


def _noise(shape: tuple[int, ...], *purpose: str | int) -> np.ndarray:
    words = seeds.philox(0, "stand_in", *purpose).bit_generator.random_raw(
        -(-int(np.prod(shape)) // 8)
    )
    values = words.astype("<u8").view(np.uint8)[: int(np.prod(shape))]
    return values.reshape(shape).astype(np.float32)


def encoded(
    number: int, label: int, shapes: Sequence[tuple[int, int]]
) -> bytes:
    """Paints and encodes picture ``number``, of one of some shapes."""
    shape = shapes[number % len(shapes)]
    return jpeg.encode(picture(label, number, shape), 90)


def write(
    folder: epath.Path,
    name: str,
    sizes: Mapping[str, int],
    *,
    classes: Sequence[int],
    shapes: Sequence[tuple[int, int]] = PHOTOGRAPHS,
) -> None:
    """Writes splits as TFDS would have prepared them.

    Args:
        folder: of the prepared set; it is made.
        name: of the set, as TFDS knows it.
        sizes: split -> number of examples.
        classes: the labels that there are, drawn alike.
        shapes: heights and widths, taken in turn.

    Raises:
        OSError: the files cannot be written.

    Source: ours; the form is that of TensorFlow Datasets.
    """
    splits, first = {}, 0
    for base, size in sizes.items():
        examples = _painted(base, first, size, classes, shapes)
        splits[base] = (size, examples)
        first += size
    record_files.write(folder, name, splits, per_file=_PER_FILE)


def _painted(
    base: str,
    first: int,
    size: int,
    classes: Sequence[int],
    shapes: Sequence[tuple[int, int]],
) -> Iterator[Example]:
    chance = Draws(seeds.philox(0, "stand_in", "labels", base))
    for number in range(first, first + size):
        label = classes[chance.integer(len(classes))]
        image = encoded(number, label, shapes)
        yield Example(image, label, f"{base}_{number:08d}.JPEG")


def obtain(
    info: RecordInfo,
    data_dir: str | os.PathLike[str] | None,
    *,
    classes: Sequence[int],
    shapes: Sequence[tuple[int, int]],
) -> str:
    """Gives the folder of a set of made-up photographs; writes it if need be.

    Args:
        info: the set.
        data_dir: as given by the user.
        classes: see ``write``.
        shapes: see ``write``.

    Returns:
        A folder below the data directory; without one, or where it cannot be
        written, a folder that goes when the process ends.

    Source: ours.
    """
    name = f"{info.name}-{_VERSION}"
    kept = array_cache.folder(data_dir)
    if kept is not None:
        folder = kept / name
        try:
            record_files.once(
                folder,
                lambda mine: write(
                    mine, info.name, info.sizes, classes=classes, shapes=shapes
                ),
            )
            return str(folder)
        except OSError as error:
            logging.warning("Painting anew each time: %s", line(error))
    return str(_of_process(info, classes, shapes))


def _of_process(
    info: RecordInfo, classes: Sequence[int], shapes: Sequence[tuple[int, int]]
) -> epath.Path:
    """The folder that goes when the process ends."""
    if info.name not in _folders:
        made = tempfile.mkdtemp(prefix=f"{info.name}-")
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        folder = epath.Path(made)
        write(folder, info.name, info.sizes, classes=classes, shapes=shapes)
        _folders[info.name] = folder
    return _folders[info.name]


_folders: dict[str, epath.Path] = {}
