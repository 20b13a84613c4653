"""Some classes of a data set, as if there were no others."""

import dataclasses

import numpy as np

from ls_tf.pipeline.contract import Arrays, DatasetInfo, RecordInfo
from ls_tf.spec import DataSpec, SpecError


def info(data: DataSpec, whole: DatasetInfo) -> DatasetInfo:
    """Gives what a data set promises of the classes that are kept.

    Args:
        data: which classes; none for all.
        whole: of all classes.

    Returns:
        DatasetInfo: fewer classes, renumbered in the order of ``data``;
        ``sizes`` stay those of the whole splits. The same object where all
        are kept.

    Raises:
        SpecError: a class that does not exist, or photographs that are
            streamed.

    Source: ours.
    """
    if not data.classes:
        return whole
    if isinstance(whole, RecordInfo):
        raise SpecError(
            "data.classes: wanted images in memory, the photographs of "
            f"{data.name} are streamed"
        )
    for kept in data.classes:
        if kept >= whole.num_classes:
            raise SpecError(
                f"data.classes: wanted classes 0 to {whole.num_classes - 1} of "
                f"{data.name}, got {kept}"
            )
    return dataclasses.replace(
        whole,
        num_classes=len(data.classes),
        class_names=tuple(whole.class_names[k] for k in data.classes),
    )


def part(data: DataSpec, split: str, arrays: Arrays) -> Arrays:
    """Leaves out the examples of other classes, and renumbers the labels.

    Args:
        data: which classes; none for all.
        split: for the message.
        arrays: ``image`` [N, ...] and ``label`` int32 [N].

    Returns:
        The same of the n examples that are kept, in their order; the arrays
        themselves where all classes are.

    Raises:
        SpecError: a class has no example.

    Source: ours.
    """
    if not data.classes:
        return arrays
    label = arrays["label"]
    rows = np.isin(label, data.classes)
    # New id of each old one.
    new = np.zeros(max(data.classes) + 1, np.int32)
    new[list(data.classes)] = np.arange(len(data.classes), dtype=np.int32)
    renumbered = new[label[rows]]
    counts = np.bincount(renumbered, minlength=len(data.classes))
    if not counts.all():
        raise SpecError(
            f"data.classes: wanted examples of class "
            f"{data.classes[int(counts.argmin())]} in {data.name}/{split}, got "
            "none"
        )
    return {"image": arrays["image"][rows], "label": renumbered}
