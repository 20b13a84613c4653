"""Multi30k as a data set of TFDS; importing this registers it there."""

import gzip
import hashlib
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from absl import logging
from etils import epath

from ls_tf import text_lines
from ls_tf.pipeline.contract import DataError

URL = "https://github.com/multi30k/dataset/raw/master/data/task1/raw"
LANGUAGES = ("en", "de")
SPLITS = ("train", "val", "test_2016_flickr")
# How the SHA-256 of the texts begin; archives hold dates as well.
_DIGESTS = {
    "train.en": "460a15fbd157e34a",
    "train.de": "2c2b73fd2b548fbc",
    "val.en": "1f2a23d992769b5b",
    "val.de": "660e09eb7e1da2f8",
    "test_2016_flickr.en": "399a4382932c1aad",
    "test_2016_flickr.de": "4be6b5b3236b79c2",
}
_CITATION = """\
@inproceedings{elliott-etal-2016-multi30k,
  author = {Elliott, Desmond and Frank, Stella and Sima'an, Khalil and
            Specia, Lucia},
  title = {Multi30{K}: Multilingual {E}nglish-{G}erman Image Descriptions},
  booktitle = {Proceedings of the 5th Workshop on Vision and Language},
  year = {2016},
  pages = {70--74},
}"""


class Multi30k(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
    """English captions of Flickr30k and their German translations.

    Files under ``<data_dir>/downloads/manual/multi30k`` are taken as they
    are; those that are missing there are downloaded.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Task 1, English and German, raw text."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Image captions and their translations by professionals: the "
                "first task of the WMT shared tasks on multimodal "
                "translation, without the images."
            ),
            features=tfds.features.Translation(languages=LANGUAGES),
            supervised_keys=LANGUAGES,
            homepage="https://github.com/multi30k/dataset",
            license="CC BY-NC-SA 4.0",
            citation=_CITATION,
            # "train[:1000]" means the first thousand lines of the files.
            disable_shuffling=True,
        )

    @property
    def manual(self) -> epath.Path:
        """Where files that a person has downloaded are looked for."""
        return self.data_dir_root / "downloads" / "manual" / "multi30k"

    @property
    def missing(self) -> tuple[str, ...]:
        """The files that do not lie there."""
        names = (f"{s}.{lang}.gz" for s in SPLITS for lang in LANGUAGES)
        return tuple(n for n in names if not (self.manual / n).exists())

    @property
    def missing_urls(self) -> tuple[str, ...]:
        """What has to be downloaded."""
        return tuple(f"{URL}/{name}" for name in self.missing)

    @property
    def advice(self) -> str:
        """What to do where there is no network."""
        return (
            f"put {', '.join(self.missing)} of {URL} (CC BY-NC-SA 4.0) into "
            f"{self.manual}"
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Any]:
        missing = self.missing
        fetched = dl_manager.download({n: f"{URL}/{n}" for n in missing})
        return {
            split: self._generate_examples(
                *(
                    (name, fetched.get(name, self.manual / name))
                    for name in (f"{split}.{lang}.gz" for lang in LANGUAGES)
                )
            )
            for split in SPLITS
        }

    def _generate_examples(
        self, source: tuple[str, epath.Path], target: tuple[str, epath.Path]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        sides = [_read(*source), _read(*target)]
        if len(sides[0]) != len(sides[1]):
            raise DataError(
                f"multi30k: {source[1]} has {len(sides[0])} lines and "
                f"{target[1]} {len(sides[1])}; wanted equally many"
            )
        for number, pair in enumerate(zip(*sides, strict=True)):
            yield number, dict(zip(LANGUAGES, pair, strict=True))


def _read(name: str, path: epath.Path) -> list[str]:
    """Gives the lines of an archive."""
    try:
        data = gzip.decompress(epath.Path(path).read_bytes())
    except Exception as error:  # A damaged archive raises nearly anything.
        raise DataError(f"multi30k: cannot read {path}: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(_DIGESTS[name.removesuffix(".gz")]):
        logging.warning(
            "%s is not the file that our results were made with", path
        )
    return text_lines.lines(data, str(path), DataError)
