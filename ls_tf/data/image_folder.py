"""Pictures of the user's own: PNG and JPEG files, a folder a class.

``data.source`` names a folder. Below it are ``train/CLASS/*.png`` and so on,
with ``test``, ``val`` or ``validation`` in the place of ``train``, each with
the same classes; or ``CLASS/*.png``: then ``data.held_out`` says how much of it
is to be ``test``. Pictures may lie in folders of a class's folder. Classes are
numbered in the order of their names.

With an augmentation of photographs, JPEGs are streamed; else all pictures are
held in memory, as large as ``data.image_size`` says.
"""

import functools
import os
from types import ModuleType

from ls_tf.pipeline import folders, own
from ls_tf.pipeline.contract import Arrays, DatasetInfo

INFO = DatasetInfo(
    name="image_folder",
    sizes={},  # The folder decides.
    image_shape=(0, 0, 0),
    num_classes=0,
    class_names=(),
    licence=own.LICENCE,
    source="A folder of pictures named by data.source, no download.",
)
WANTS = "the name of a folder of pictures"


def opened(
    *,
    source: str,
    image_size: tuple[int, ...],
    channels: int,
    held_out: float,
    held_out_seed: int,
    streams: bool,
    data_dir: str | os.PathLike[str] | None,
) -> ModuleType:
    """Reads what lies in the folder.

    Args:
        source: its name, on a local or mounted disk.
        image_size: (height, width) to scale and cut to; (): as they are.
        channels: 1 or 3; 0: as they are.
        held_out: see ``own.hold_out``.
        held_out_seed: likewise.
        streams: whether the pictures stay JPEGs, which are read when they are
            needed.
        data_dir: where arrays or records of them are kept.

    Returns:
        The set as a module.

    Raises:
        DataError: one line: no folder, no pictures, a class without any,
            other classes than those of ``train``, pictures that are damaged
            or not alike.

    Source: ours.
    """
    listing = folders.listed(own.title("image_folder", source), source)
    if streams:
        return folders.streamed(
            listing, image_size, channels, held_out, held_out_seed
        )
    return _in_memory(
        listing,
        image_size,
        channels,
        held_out,
        held_out_seed,
        None if data_dir is None else os.fspath(data_dir),
    )


@functools.lru_cache(maxsize=2)
def _in_memory(
    listing: folders.Listing,
    image_size: tuple[int, ...],
    channels: int,
    held_out: float,
    held_out_seed: int,
    data_dir: str | None,
) -> ModuleType:
    stored: dict[str, Arrays] = {
        base: folders.decoded(listing, base, image_size, channels, data_dir)
        for base in listing.splits
    }
    return own.in_memory(
        listing.name,
        stored,
        listing.class_names,
        held_out=held_out,
        held_out_seed=held_out_seed,
    )
