"""A stand-in for ImageNet: made-up photographs, no download.

The records have the same form, and the classes are the same; examples there
are of five of them only. It is for trying a pipeline, not a network.
"""

import dataclasses
import os

from ls_tf.data import imagenet

INFO = dataclasses.replace(
    imagenet.INFO,
    name="imagenet_stand_in",
    sizes={"train": 512, "validation": 256},
    licence="Apache-2.0, as the program",
    source="Made by the program, no download.",
    tfds=None,
    builder=None,
    archives=(),
)
_CLASSES = (0, 265, 266, 299, 499)


def prepare(*, data_dir: str | os.PathLike[str] | None) -> str:
    """Paints the pictures, unless that was done before.

    Args:
        data_dir: where they are kept, if there is such a directory; else
            they last as long as the process.

    Returns:
        The folder of the ArrayRecord files.

    Raises:
        OSError: if the files cannot be written.

    Source: ours.
    """
    from ls_tf.pipeline import stand_in

    shapes = stand_in.SMALL
    return stand_in.obtain(INFO, data_dir, classes=_CLASSES, shapes=shapes)
