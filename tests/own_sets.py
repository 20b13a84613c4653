"""Sets of images of the user's own, written by the tests."""

import numpy as np
import pytest
from PIL import Image

from ls_tf.pipeline import loading, own
from ls_tf.pipeline.contract import DataError
from ls_tf.spec import DataSpec, SpecError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (12, 6, 5, 3), np.uint8)
Y = np.arange(12) % 3
KERAS = {"x_train": X[:9], "y_train": Y[:9], "x_test": X[9:], "y_test": Y[9:]}


def data(name, source, **fields):
    splits = {"train": "train", "calibrate": "test", "report": "test"}
    return DataSpec(name, **splits, source=str(source), **fields)


def loaded(spec, split, data_dir=None):
    return loading.load(own.of(spec, data_dir), split, data_dir=data_dir)


def npz(folder, **arrays):
    file = folder / "own.npz"
    np.savez(file, **arrays)
    return file


def refused(spec, *says):
    with pytest.raises((DataError, SpecError)) as caught:
        own.of(spec, None)
    message = str(caught.value)
    assert "\n" not in message
    for words in says:
        assert words in message
    return message


def folder(top, base, pictures, kind="png"):
    """Writes pictures, class -> arrays, into folders of their classes."""
    for name, arrays in pictures.items():
        place = top / base / name
        place.mkdir(parents=True)
        for i, array in enumerate(arrays):
            Image.fromarray(array.squeeze()).save(place / f"{i}.{kind}")


def two(first=X[:6], second=X[6:]):
    return {"cat": first, "dog": second}


def by_pixels(arrays):
    """Pixels and label of each image, whatever their order."""
    return {
        (image.tobytes(), int(label))
        for image, label in zip(arrays["image"], arrays["label"], strict=True)
    }


def hugging_face(top, *, label="label", **splits):
    """Saves a data set of images as the library does: split -> (x, y)."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "img": datasets.Image(),
            label: datasets.ClassLabel(names=["a", "b", "c"]),
        }
    )

    def table(x, y):
        pictures = [None if i is None else Image.fromarray(i) for i in x]
        columns = {"img": pictures, label: list(y)}
        return datasets.Dataset.from_dict(columns, features=features)

    tables = {base: table(*part) for base, part in splits.items()}
    datasets.DatasetDict(tables).save_to_disk(top)
    return data("hf", top)
