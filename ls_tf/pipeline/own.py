"""The user's own images: splits, classes and sizes are read from them.

The module of such a data set has ``opened(source, how)``, which reads what the
experiment names as ``data.source`` as ``how`` says (``Reading``), and gives a
module as those of other sets are, with ``INFO`` and ``load`` or ``prepare``.
Where that takes long, ``glance(source, how)`` refuses what is seen at once.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from ls_tf import seeds
from ls_tf.pipeline import contract, prepared
from ls_tf.pipeline.contract import Arrays, DataError, DatasetInfo
from ls_tf.spec import DataSpec, SpecError, registry

LICENCE = "the user's own"
# Of all pixels of a set in memory: what a machine of 16 GB can work with.
MOST_BYTES = 8 * 2**30
# What to do where that is too little.
STREAM = (
    "an augmentation of photographs, which streams them: "
    "--set=data.augmentation=imagenet_224 (docs/data.md)"
)
# What the user's files call a split -> what it is called here.
SPLITS = {
    "train": "train",
    "test": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
# Fields of the specification that say how a set is read.
_FIELDS = (
    *("source", "image_size", "channels", "held_out", "held_out_seed"),
    "label_column",
)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a set of the user's own is read: hashable, to be cached by.

    Attributes:
        image_size: (height, width) that images are scaled and cut to, see
            ``alike.fit``; (): as they are.
        channels: 1 for grey or 3 for colours; 0: as they are.
        held_out: the share of ``train`` that is another split; see
            ``hold_out``.
        held_out_seed: likewise.
        label_column: of a set that has columns, that of its labels; "": the
            only one, or that called ``label``.
        streams: whether the images stay encoded and are read when they are
            needed; else they are held in memory.
        data_dir: where TFDS data lies, and arrays or records are kept; None
            means TFDS's own default.
        is_foreign: whether it is another set than a network's own, and only
            measured on: where it has one split alone, half of that is
            ``test``.
    """

    image_size: tuple[int, ...] = ()
    channels: int = 0
    held_out: float = 0.0
    held_out_seed: int = 0
    label_column: str = ""
    streams: bool = False
    data_dir: str | None = None
    is_foreign: bool = False


def of(
    data: DataSpec,
    data_dir: str | os.PathLike[str] | None,
    *,
    is_foreign: bool = False,
) -> ModuleType:
    """Gives the module of an experiment's images.

    Args:
        data: which set; of the user's own, its source and how it is read.
        data_dir: where TFDS data lies, or a prepared file; None means TFDS's
            own default.
        is_foreign: see ``Reading``.

    Returns:
        A module with ``INFO``, and what ``loading.load`` or ``shards.find``
        need of it.

    Raises:
        SpecError: no such data set, no source, or a column of labels of a set
            that has none.
        DataError: the user's own data is missing, damaged, or none that can
            be learnt from.

    Source: ours.
    """
    module = registry.get("ls_tf.data", data.name, "data set")
    if not hasattr(module, "opened"):
        return module
    _refuse_fields(data, module)
    if data_dir is not None and prepared.is_prepared(data_dir):
        info = prepared.own(module.INFO, told(data), data_dir)
        return as_module(info)
    how = _reading(data, data_dir, is_foreign=is_foreign)
    made: ModuleType = module.opened(data.source, how)
    vars(made)["INFO"] = _named(made.INFO, told(data))
    return made


def glance(
    data: DataSpec, data_dir: str | os.PathLike[str] | None
) -> Mapping[str, int]:
    """Refuses what can be refused of an experiment's images without long work.

    Pictures are not decoded and nothing is fetched or written; a NumPy file
    is read as ``of`` reads it.

    Args:
        data: see ``of``.
        data_dir: likewise.

    Returns:
        Split -> how many examples it has; empty where that is not known yet.

    Raises:
        SpecError, DataError: as ``of`` says it; one line.

    Source: ours.
    """
    module = registry.get("ls_tf.data", data.name, "data set")
    is_prepared = data_dir is not None and prepared.is_prepared(data_dir)
    if is_prepared or not hasattr(module, "glance"):
        sizes: Mapping[str, int] = of(data, data_dir).INFO.sizes
        return sizes
    _refuse_fields(data, module)
    found: Mapping[str, int] = module.glance(
        data.source, _reading(data, data_dir)
    )
    return found


def _refuse_fields(data: DataSpec, module: ModuleType) -> None:
    """Refuses a set without a source, and a column of what has none."""
    if not data.source:
        raise SpecError(
            f"data.source: '{data.name}' wants {module.WANTS}, got nothing"
        )
    if data.label_column and not getattr(module, "HAS_COLUMNS", False):
        raise SpecError(
            f"data.label_column: wanted nothing, '{data.name}' has no columns, "
            f"got {data.label_column}"
        )


def _reading(
    data: DataSpec,
    data_dir: str | os.PathLike[str] | None,
    *,
    is_foreign: bool = False,
) -> Reading:
    """How an experiment's images are read."""
    return Reading(
        **{field: getattr(data, field) for field in _FIELDS[1:]},
        streams=_streams(data.augmentation),
        is_foreign=is_foreign,
        data_dir=None if data_dir is None else os.fspath(data_dir),
    )


def _streams(augmentation: str) -> bool:
    """Whether an augmentation is one of photographs; Keras is not asked."""
    try:
        from ls_tf.pipeline import photographs
    except ModuleNotFoundError:  # whoever builds the augmentation says which
        return False
    return augmentation in photographs.RECIPES


def told(data: DataSpec) -> str:
    """Says which data of the user's own, and how it is read, in one line."""
    words = [
        f"{field}={getattr(data, field)}"
        for field in _FIELDS[1:]
        if getattr(data, field) != getattr(DataSpec, field)
    ]
    return " ".join([data.source, *words])


def _named(info: DatasetInfo, source: str) -> DatasetInfo:
    return dataclasses.replace(info, source=source, is_own=True)


def as_module(info: DatasetInfo, **functions: Any) -> ModuleType:
    """Makes what the file of another data set would be.

    Args:
        info: the promise.
        **functions: ``load`` or ``prepare``, where they are needed.
    """
    made = ModuleType(info.name)
    vars(made).update(INFO=info, **functions)
    return made


def title(module: str, source: str) -> str:
    """Names a set of the user's own in messages: ``npz:flowers.npz``."""
    return f"{module}:{os.path.basename(source.rstrip('/')) or source}"


def shown(name: str) -> str:
    """A data set as a measurement calls it: ``NAME``, or ``NAME:FILE``."""
    called, _, source = name.partition(":")
    return title(called, source) if source else name


# --- Splits -----------------------------------------------------------------


def hold_out(
    name: str, labels: Mapping[str, np.ndarray], how: Reading
) -> dict[str, tuple[str, np.ndarray]]:
    """Says which examples each split has, once some are held out.

    Of each class the nearest number to its share is, 1 or more, and 1 or more
    is left.

    Args:
        name: of the set, for messages.
        labels: split -> checked labels, int32 [N], as they are stored.
        how: the share of ``train`` that is held out, and the seed that says
            which examples.

    Returns:
        Split -> the stored split that it is of, and rows of that, rising.

    Raises:
        DataError: there is nothing to report on, or a class has one example
            alone.

    Source: ours.
    """
    kept = {
        base: (base, np.arange(len(label))) for base, label in labels.items()
    }
    share = how.held_out
    if how.is_foreign and len(labels) == 1:
        share = share or 0.5
    if not share:
        if len(labels) == 1:
            refuse_one_split(name)
        return kept
    new = next((b for b in ("test", "validation") if b not in labels), None)
    if new is None:
        raise DataError(
            f"{name}: data.held_out: wanted 0, it has the splits "
            f"{', '.join(labels)} already, got {share}"
        )
    label = labels["train"]
    # Raw words of Philox are fixed for good.
    words = seeds.philox(
        how.held_out_seed, "held_out"
    ).bit_generator.random_raw(len(label))
    is_out = np.zeros(len(label), bool)
    for kind in np.unique(label):
        (rows,) = np.nonzero(label == kind)
        if len(rows) == 1:
            raise DataError(
                f"{name}: data.held_out: wanted 2 examples or more of every "
                f"class, class {kind} has 1"
            )
        count = min(max(int(share * len(rows) + 0.5), 1), len(rows) - 1)
        order = np.argsort(np.asarray(words)[rows], kind="stable")
        is_out[rows[order[:count]]] = True
    kept["train"] = ("train", np.flatnonzero(~is_out))
    kept[new] = ("train", np.flatnonzero(is_out))
    return kept


def refuse_one_split(name: str) -> NoReturn:
    """Says what to do where there is nothing to report on.

    Raises:
        DataError: one line.
    """
    raise DataError(
        f"{name}: has the split train alone; say which share of it is to be "
        "the split test, with --set=data.held_out=0.2"
    )


def check_labels(where: str, label: np.ndarray, count: int) -> np.ndarray:
    """Refuses what are no class ids.

    Args:
        where: set and split.
        label: wanted as whole numbers [N] or [N, 1].
        count: how many examples there are.

    Returns:
        The same [N], as they are.

    Raises:
        DataError: one line.
    """
    if label.ndim == 2 and label.shape[1] == 1:  # as Keras has CIFAR's
        label = label[:, 0]
    if label.ndim != 1 or label.dtype.kind not in "iu":
        raise DataError(
            f"{where}: wanted labels that are whole numbers, one of each "
            f"example, got {label.dtype} {list(label.shape)}{_made_so(label)}"
        )
    if len(label) != count:
        raise DataError(
            f"{where}: wanted a label of each image, got {count} images and "
            f"{len(label)} labels"
        )
    if not count:
        raise DataError(f"{where}: wanted examples, got none")
    if label.min() < 0:
        raise DataError(
            f"{where}: wanted labels of 0 or more, got {label.min()}"
        )
    return label


def _made_so(label: np.ndarray) -> str:
    """What makes class ids of labels of another kind; nothing if unsure."""
    if label.dtype.kind in "USb" and label.ndim == 1:
        return "; class_names, y = np.unique(y, return_inverse=True) does that"
    if label.dtype.kind == "f" and label.ndim == 1:
        return "; y.astype(int) does that, where they are whole"
    if label.dtype.kind in "fiub" and label.ndim == 2:
        return "; of a column for each class y.argmax(1) makes them"
    return ""


def classes(
    name: str,
    labels: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Finds the classes, those of ``train``.

    Args:
        name: of the set, for messages.
        labels: split -> what ``check_labels`` gave.
        names: of the classes; None: their numbers.

    Returns:
        The labels as int32, and the names.

    Raises:
        DataError: no split ``train``; fewer than 2 classes; a class has no
            example in ``train``; another split has a class that is not there.

    Source: ours.
    """
    if "train" not in labels:
        raise DataError(
            f"{name}: wanted a split train, got {', '.join(labels) or 'none'}"
        )
    kinds = np.unique(labels["train"])
    count = int(kinds[-1]) + 1 if names is None else len(names)
    if int(kinds[-1]) >= count:
        raise DataError(
            f"{name}/train: wanted labels 0 to {count - 1}, as there are "
            f"{count} names of classes, got {kinds[-1]}"
        )
    if len(kinds) < count:
        gaps = np.flatnonzero(kinds != np.arange(len(kinds)))
        least = int(gaps[0]) if len(gaps) else len(kinds)
        called = "" if names is None else f" ({names[least]})"
        raise DataError(
            f"{name}/train: wanted examples of every class, 0 to {count - 1}, "
            f"got none of class {least}{called}"
            + (
                "; y - 1 begins with 0"
                if kinds[0] == 1 and names is None
                else ""
            )
        )
    if count < 2:
        raise DataError(f"{name}/train: wanted 2 classes or more, got {count}")
    for base, label in labels.items():
        if label.max() >= count:
            raise DataError(
                f"{name}/{base}: wanted the classes of train, 0 to "
                f"{count - 1}, got {label.max()}"
            )
    called_as = tuple(map(str, range(count) if names is None else names))
    if len(set(called_as)) < count:
        raise DataError(f"{name}: wanted different names of the classes")
    return {b: v.astype(np.int32) for b, v in labels.items()}, called_as


def check_bytes(name: str, count: int, shape: Sequence[int]) -> None:
    """Refuses images that are too many for memory.

    Args:
        name: of the set, or set and split.
        count: images of all splits.
        shape: (height, width, channels).

    Raises:
        DataError: one line.
    """
    needed = count * int(np.prod(shape, dtype=np.int64))
    if needed > MOST_BYTES:
        whole = name.partition("/")[0]  # A title has no slash.
        raise DataError(
            f"{whole}: {count} images of {' x '.join(map(str, shape))} are "
            f"{needed / 1e9:.1f} GB, wanted at most {MOST_BYTES / 1e9:.1f} in "
            f"memory; say a smaller data.image_size, or {STREAM}"
        )


# --- In memory --------------------------------------------------------------


def in_memory(
    name: str,
    stored: Mapping[str, Arrays],
    names: Sequence[str] | None,
    how: Reading,
) -> ModuleType:
    """Makes a data set of arrays.

    Args:
        name: of the set; see ``title``.
        stored: split -> ``image`` uint8 [N, H, W, C] and ``label`` of any
            kind.
        names: of the classes; None: their numbers.
        how: what is held out; the images are of the wanted size already.

    Returns:
        Its module.

    Raises:
        DataError: see ``check_labels``, ``classes`` and ``hold_out``; or the
            splits have images of different sizes.

    Source: ours.
    """
    labels = {
        base: check_labels(
            f"{name}/{base}", arrays["label"], len(arrays["image"])
        )
        for base, arrays in stored.items()
    }
    labels, names = classes(name, labels, names)
    shape = stored["train"]["image"].shape[1:]
    for base, arrays in stored.items():
        if arrays["image"].shape[1:] != shape:
            raise DataError(
                f"{name}/{base}: wanted images of train's size, "
                f"{' x '.join(map(str, shape))}, got "
                f"{' x '.join(map(str, arrays['image'].shape[1:]))}; "
                "data.image_size and data.channels make them alike"
            )
    splits = {
        base: {
            "image": _rows(stored[of]["image"], rows),
            "label": _rows(labels[of], rows),
        }
        for base, (of, rows) in hold_out(name, labels, how).items()
    }
    info = DatasetInfo(
        name=name,
        sizes={base: len(arrays["label"]) for base, arrays in splits.items()},
        image_shape=(int(shape[0]), int(shape[1]), int(shape[2])),
        num_classes=len(names),
        class_names=tuple(names),
        licence=LICENCE,
        source=name,
        is_own=True,
    )

    def load(split: str, *, data_dir: str | os.PathLike[str] | None) -> Arrays:
        del data_dir
        base, start, stop = contract.parse_split(split, info.sizes)
        part = {key: v[start:stop] for key, v in splits[base].items()}
        if base == "train":
            _check_part(name, split, part["label"], info.num_classes)
        return part

    return as_module(info, load=load)


def _check_part(
    name: str, split: str, label: np.ndarray, num_classes: int
) -> None:
    """Refuses a part of ``train`` that lacks a class, as of sorted images."""
    (missing,) = np.nonzero(np.bincount(label, minlength=num_classes) == 0)
    if len(missing):
        raise DataError(
            f"{name}: {split} holds no example of class {missing[0]}; wanted a "
            "larger part of train, or images that are not sorted by class"
        )


def _rows(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of an array, for all who share it; no copy where all are meant."""
    part = array.view() if len(rows) == len(array) else array[rows]
    part.flags.writeable = False
    return part
