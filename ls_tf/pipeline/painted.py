"""Data sets that stand in for others, with photographs that we paint.

The records have the same form, and the classes are the same; examples there
are of five of them only. They are for trying a pipeline, not a network.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from ls_tf.pipeline.contract import RecordInfo


class Prepare(Protocol):
    """Paints the pictures of a set, unless that was done before."""

    def __call__(self, *, data_dir: str | os.PathLike[str] | None) -> str:
        """Gives the folder of the ArrayRecord files.

        Args:
            data_dir: where they are kept, if there is such a directory; else
                they last as long as the process.

        Raises:
            OSError: if the files cannot be written.
        """


def stand_in(
    real: RecordInfo,
    sizes: Mapping[str, int],
    classes: Sequence[int],
    shapes: Sequence[tuple[int, int]] = (),
) -> tuple[RecordInfo, Prepare]:
    """Makes what the module of a stand-in holds.

    Args:
        real: the set that it stands in for.
        sizes: split -> number of examples.
        classes: the labels that there are.
        shapes: heights and widths, taken in turn; default: small photographs.

    Returns:
        Its ``INFO`` and ``prepare``.

    Source: ours.
    """
    info = dataclasses.replace(
        real,
        name=f"{real.name}_stand_in",
        sizes=sizes,
        licence="Apache-2.0, as the program",
        source="Made by the program, no download.",
        tfds=None,
        builder=None,
        archives=(),
    )

    def prepare(*, data_dir: str | os.PathLike[str] | None) -> str:
        from ls_tf.pipeline import stand_in as painting

        return painting.obtain(
            info, data_dir, classes=classes, shapes=shapes or painting.SMALL
        )

    return info, prepare
