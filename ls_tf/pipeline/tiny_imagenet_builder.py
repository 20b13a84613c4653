"""Tiny ImageNet as a data set of TFDS; importing this registers it there."""

import zipfile
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from ls_tf.pipeline.contract import DataError

NAME = "tiny-imagenet-200.zip"
URL = f"http://cs231n.stanford.edu/{NAME}"
SIZE = 248_100_043
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
_ROOT = "tiny-imagenet-200"


class TinyImagenet(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
    """200 classes of ImageNet at 64 x 64 pixels.

    The archive is taken from ``<data_dir>/downloads/manual`` if it is there;
    else it is downloaded.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Training and validation images."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "500 training and 50 validation images of each of 200 classes. "
                "The test images, which have no labels, are left out."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(64, 64, 3), encoding_format="jpeg"
                    ),
                    "label": tfds.features.ClassLabel(num_classes=200),
                    "file_name": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://www.kaggle.com/c/tiny-imagenet",
        )

    @property
    def manual(self) -> epath.Path:
        """Where an archive that a person has downloaded is looked for."""
        return self.data_dir_root / "downloads" / "manual" / NAME

    @property
    def missing_urls(self) -> tuple[str, ...]:
        """What has to be downloaded."""
        return () if self.manual.exists() else (URL,)

    @property
    def advice(self) -> str:
        """What to do where there is no network."""
        return f"put {URL} ({SIZE:,} bytes, MD5 {MD5}) into {self.manual}"

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Any]:
        path = self.manual
        if not path.exists():
            path = dl_manager.download(URL)
        archive = _opened(epath.Path(path))
        classes = _lines(archive, "wnids.txt")
        of_image = dict(
            line.split("\t")[:2]
            for line in _lines(archive, "val/val_annotations.txt")
        )
        return {
            "train": _training(archive, classes),
            "validation": (
                _example(
                    archive,
                    f"{_ROOT}/val/images/{name}",
                    classes.index(of_image[name]),
                )
                for name in of_image
            ),
        }

    def _generate_examples(self) -> None:
        """Nothing: ``_split_generators`` gives the examples."""


def _opened(path: epath.Path) -> zipfile.ZipFile:
    """Opens the archive.

    Raises:
        DataError: it is another one, or not whole.
    """
    size = path.stat().length
    if size != SIZE:
        raise DataError(
            f"tiny_imagenet: wanted {path} of {SIZE:,} bytes (MD5 {MD5}), it "
            f"has {size:,}"
        )
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"tiny_imagenet: {path} is no zip archive: {error}; wanted MD5 "
            f"{MD5}"
        ) from error


def _lines(archive: zipfile.ZipFile, name: str) -> list[str]:
    return archive.read(f"{_ROOT}/{name}").decode().split("\n")[:-1]


def _training(
    archive: zipfile.ZipFile, classes: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gives the training images: train/CLASS/images/CLASS_NUMBER.JPEG."""
    for name in archive.namelist():
        parts = name.split("/")
        if parts[1] == "train" and name.endswith(".JPEG"):
            yield _example(archive, name, classes.index(parts[2]))


def _example(
    archive: zipfile.ZipFile, name: str, label: int
) -> tuple[str, dict[str, Any]]:
    file_name = name.rpartition("/")[2]
    return file_name, {
        "image": archive.open(name),
        "label": label,
        "file_name": file_name,
    }
