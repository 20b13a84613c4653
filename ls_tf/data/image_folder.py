"""Pictures of the user's own: PNG, JPEG and WEBP files, a folder a class.

``data.source`` names a folder. Below it are ``train/CLASS/*.png`` and so on,
with ``test``, ``val`` or ``validation`` in the place of ``train``, each with
the same classes; or ``CLASS/*.png``: then ``data.held_out`` says how much of it
is to be ``test``. Pictures may lie in folders of a class's folder. Classes are
numbered in the order of their names.

With an augmentation of photographs they are streamed; else all pictures are
held in memory, as large as ``data.image_size`` says.
"""

import functools
from collections.abc import Mapping
from types import ModuleType

from ls_tf.pipeline import folders, own, own_records
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


def glance(source: str, how: own.Reading) -> Mapping[str, int]:
    """Lists what lies in the folder, and decodes nothing.

    Args:
        source: its name.
        how: it is read.

    Returns:
        Split -> how many pictures it has.

    Raises:
        DataError: see ``opened``; damaged pictures are not seen.

    Source: ours.
    """
    if how.streams:
        own_records.refuse_size(how)
    listing = folders.listed(own.title("image_folder", source), source)
    parts = own.hold_out(listing.name, listing.labels, how)
    return {base: len(rows) for base, (_, rows) in parts.items()}


def opened(source: str, how: own.Reading) -> ModuleType:
    """Reads what lies in the folder.

    Args:
        source: its name, on a local or mounted disk.
        how: it is read.

    Returns:
        The set as a module.

    Raises:
        DataError: one line: no folder, no pictures, a class without any,
            other classes than those of ``train``, pictures that are damaged
            or not alike.

    Source: ours.
    """
    listing = folders.listed(own.title("image_folder", source), source)
    if how.streams:
        return folders.streamed(listing, how)
    return _in_memory(listing, how)


@functools.lru_cache(maxsize=2)
def _in_memory(listing: folders.Listing, how: own.Reading) -> ModuleType:
    stored: dict[str, Arrays] = {
        base: folders.decoded(listing, base, how) for base in listing.splits
    }
    return own.in_memory(listing.name, stored, listing.class_names, how)
