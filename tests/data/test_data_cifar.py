"""CIFAR-10 and CIFAR-100 through TFDS, on small sets in TFRecord files."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ls_tf.data import cifar10, cifar100
from ls_tf.pipeline import loading
from ls_tf.pipeline import tfds as reading
from ls_tf.pipeline.contract import DataError

SIZES = {"train": 50, "test": 12}
MODULES = (cifar10, cifar100)


def _features(info):
    """What TFDS knows of an example; CIFAR-100 has two labels."""
    label = tfds.features.ClassLabel(num_classes=info.num_classes)
    features = {
        "id": tfds.features.Text(),
        "image": tfds.features.Image(shape=(32, 32, 3)),
        "label": label,
    }
    if info.num_classes == 100:
        features["coarse_label"] = tfds.features.ClassLabel(num_classes=20)
    return features


def _example(number, info):
    """An image that tells its number, the same in no other orientation."""
    image = np.random.default_rng(number).integers(0, 256, (32, 32, 3))
    image[0, 0] = (number, 7, 99)
    example = {
        "id": f"train_{number:05d}",
        "image": image.astype(np.uint8),
        "label": (3 * number) % info.num_classes,
    }
    if info.num_classes == 100:
        example["coarse_label"] = (number + 1) % 20
    return example


def _write(module, folder):
    info = module.INFO
    members = {
        "VERSION": tfds.builder_cls(info.tfds).VERSION,
        "_info": lambda self: tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(_features(info)),
        ),
        "_split_generators": lambda self, _: {
            key: ((i, _example(i, info)) for i in range(size))
            for key, size in SIZES.items()
        },
        "_generate_examples": None,
        "name": info.tfds,
    }
    with tfds.core.registered.skip_registration():
        cls = type("Small", (tfds.core.GeneratorBasedBuilder,), members)
    cls(data_dir=str(folder)).download_and_prepare()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for module in MODULES:
        _write(module, folder)
    return folder


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    for module in MODULES:
        small = dataclasses.replace(module.INFO, sizes=SIZES)
        monkeypatch.setattr(module, "INFO", small)


# --- What is promised -------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "classes"), [(cifar10, 10), (cifar100, 100)]
)
def test_sizes_and_classes_are_those_of_the_publication(
    module, classes, monkeypatch
):
    monkeypatch.undo()
    info = module.INFO
    assert info.sizes == {"train": 50_000, "test": 10_000}
    assert info.image_shape == (32, 32, 3)
    assert info.num_classes == len(set(info.class_names)) == classes
    # Both sets count their classes in alphabetical order.
    assert list(info.class_names) == sorted(info.class_names)


def test_the_classes_of_the_papers_figures():
    names = cifar10.INFO.class_names
    assert [names.index(n) for n in ("airplane", "automobile", "bird")] == [
        0,
        1,
        2,
    ]
    names = cifar100.INFO.class_names
    assert [names.index(n) for n in ("beaver", "dolphin", "otter")] == [
        4,
        30,
        55,
    ]


# --- Reading ----------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("split", ["train", "test"])
def test_loads_every_example_with_its_fine_label(module, split, data_dir):
    arrays = loading.load(module, split, data_dir=data_dir)
    assert arrays.keys() == {"image", "label"}
    assert arrays["image"].shape == (SIZES[split], 32, 32, 3)
    assert arrays["image"].dtype == np.uint8
    assert arrays["label"].dtype == np.int32
    numbers = arrays["image"][:, 0, 0, 0].tolist()
    assert sorted(numbers) == list(range(SIZES[split]))
    for number, image, label in zip(numbers, *arrays.values(), strict=True):
        example = _example(number, module.INFO)
        np.testing.assert_array_equal(image, example["image"])
        assert label == example["label"]


@pytest.mark.parametrize("module", MODULES)
def test_the_papers_parts_share_nothing_and_miss_nothing(module, data_dir):
    # As 40,000 and 10,000 of 50,000.
    whole = loading.load(module, "train", data_dir=data_dir)
    first = loading.load(module, "train[:40]", data_dir=data_dir)
    last = loading.load(module, "train[40:]", data_dir=data_dir)
    for key, value in whole.items():
        np.testing.assert_array_equal(
            np.concatenate([first[key], last[key]]), value
        )


@pytest.mark.parametrize("module", MODULES)
def test_a_prepared_file_holds_the_same(module, data_dir, tmp_path):
    file = tmp_path / "cifar.npz"
    loading.prepare(
        file,
        experiment="resnet",
        module=module,
        splits=("train[:40]", "train[40:]"),
        data_dir=data_dir,
    )
    expected = loading.load(module, "train[40:]", data_dir=data_dir)
    found = loading.load(module, "train[40:]", data_dir=file)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)


# --- Errors -----------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a | {"image": a["image"][:, 2:-2, 2:-2]}, r"\(28, 28, 3\)"),
        (lambda a: a | {"image": a["image"][..., :1]}, r"\(32, 32, 1\)"),
        (lambda a: a | {"label": a["label"] + 99}, "wanted labels 0 to"),
        (lambda a: a | {"label": a["label"] - 1}, "got -1 to"),
        (lambda a: {k: v[1:] for k, v in a.items()}, "wanted 50 examples"),
    ],
)
def test_what_is_not_as_promised_is_refused(
    module, change, says, tmp_path, monkeypatch
):
    arrays = {
        "image": np.zeros((50, 32, 32, 3), np.uint8),
        "label": np.arange(50, dtype=np.int32) % 10,
    }
    monkeypatch.setattr(
        reading, "_decode", lambda *_: (change(arrays), "another")
    )
    with pytest.raises(DataError, match=says) as caught:
        loading.load(module, "train[:10]", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
    assert f"{module.INFO.name}/train" in str(caught.value)
    # And nothing wrong is kept for the next time.
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize("module", MODULES)
def test_a_bad_split_is_refused(module, tmp_path):
    with pytest.raises(ValueError, match=r"train \(50\), test \(12\)"):
        loading.load(module, "validation", data_dir=tmp_path)


@pytest.mark.parametrize("module", MODULES)
def test_without_network_one_line_says_what_to_do(
    module, tmp_path, monkeypatch
):
    def refuse(urls):
        raise ConnectionError(f"no way\nto {sorted(urls)[0]}")

    monkeypatch.setattr(reading, "_probe", refuse)
    with pytest.raises(DataError) as caught:
        loading.load(module, "train", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
    assert f"build {module.INFO.tfds} --data_dir={tmp_path}" in str(
        caught.value
    )
