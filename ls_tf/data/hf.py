"""Images of a Hugging Face data set, on disk or by its name on the hub.

``data.source`` is a folder that ``save_to_disk`` wrote, or a name such as
``ylecun/mnist``, with a configuration behind a colon: ``name:configuration``.
It has one column of images and one of class labels; where there are several
of these, that called ``label``, or what ``data.label_column`` says. With an
augmentation of photographs the images are streamed, as they are, from records
that are written once; else all are held in memory, as large as
``data.image_size`` says.
"""

from collections.abc import Mapping
from types import ModuleType

from ls_tf.pipeline import hugging_face, own
from ls_tf.pipeline.contract import DatasetInfo

INFO = DatasetInfo(
    name="hf",
    sizes={},  # The data set decides.
    image_shape=(0, 0, 0),
    num_classes=0,
    class_names=(),
    licence="see the card of the set, https://huggingface.co/datasets",
    source="A Hugging Face data set, named by data.source.",
)
HAS_COLUMNS = True  # data.label_column names one
WANTS = "a folder or the name of a Hugging Face data set"


def glance(source: str, how: own.Reading) -> Mapping[str, int]:
    """Looks at the columns and labels of a set on disk, not at its pictures.

    Args:
        source: a folder; of a name on the hub nothing is fetched.
        how: it is read.

    Returns:
        Split -> how many examples it has; empty of a name on the hub.

    Raises:
        DataError: see ``opened``.

    Source: ours.
    """
    return hugging_face.glance(source, how)


def opened(source: str, how: own.Reading) -> ModuleType:
    """Reads the set.

    Args:
        source: a folder on disk, or a name.
        how: it is read; what is fetched lies where ``datasets`` keeps it.

    Returns:
        The set as a module.

    Raises:
        DataError: one line: the library is not installed, the set cannot be
            had, or it holds no images with one class each.

    Source: ours.
    """
    return hugging_face.opened(source, how)
