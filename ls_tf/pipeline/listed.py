"""Photographs that lists name, in folders that a person has put somewhere.

A set is described by its lists, one for each split, and by what a person has
to get. Before the first use the pictures are copied, unchanged, into
ArrayRecord files in the data directory, from which they are streamed.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from etils import epath

from ls_tf import stopping
from ls_tf.pipeline import record_files
from ls_tf.pipeline.contract import DataError, RecordInfo
from ls_tf.pipeline.shards import Example
from ls_tf.records.reading import line

Form = Literal["lines", "coco", "classes"]
_PER_FILE = 2000
_ENDS = ("", ".jpg")  # of a picture that a list names by its number


@dataclass(frozen=True)
class PictureList:
    """The list of a split.

    Attributes:
        name: of the file.
        form: "lines": a path and a label in each line. "coco": JSON with
            ``images`` of ``id`` and ``file_name``, and ``annotations`` of
            ``image_id`` and ``category_id``. "classes": JSON with ``images``
            of ``id``, which is the file's name, and ``class``.
        folder: that its paths begin in, below that of the set.
    """

    name: str
    form: Form
    folder: str = ""


@dataclass(frozen=True)
class Listed:
    """Prepares a set: the ``prepare`` of its module.

    Attributes:
        info: the set.
        lists: split -> list.
        advice: what to get, from where, and where it goes below the set's
            folder.
    """

    info: RecordInfo
    lists: Mapping[str, PictureList]
    advice: str

    def __call__(self, *, data_dir: str | os.PathLike[str] | None) -> str:
        """Gives the folder of the ArrayRecord files; makes them if need be.

        Args:
            data_dir: where TFDS data lies; the set's own files are in its
                ``downloads/manual`` and a folder of the set's name.

        Raises:
            DataError: no data directory, a list or a picture is missing, or
                a list is not as it should be; one line.
            StoppedError: the process was asked to stop.
        """
        kept = record_files.place(self.info.name, data_dir)
        folder = kept / f"{self.info.name}-1"
        source = kept.parent / "downloads" / "manual" / self.info.name

        def make(mine: epath.Path) -> None:
            named = {base: self._read(source, base) for base in self.lists}
            record_files.write(
                mine,
                self.info.name,
                {
                    base: (len(rows), self._examples(source, base, rows))
                    for base, rows in named.items()
                },
                per_file=_PER_FILE,
            )

        return record_files.prepared(self.info.name, folder, make)

    def _read(self, source: epath.Path, base: str) -> list[tuple[str, int]]:
        """Reads a list: paths and labels, checked."""
        file = source / self.lists[base].name
        where = f"{self.info.name}/{base}"
        if not file.exists():
            raise DataError(
                f"{where}: wanted the list {file}, there is none; {self.advice}"
            )
        try:
            rows = _FORMS[self.lists[base].form](file.read_text())
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{where}: {file} is no list of the form "
                f"'{self.lists[base].form}': {line(error)}"
            ) from error
        if len(rows) != self.info.sizes[base]:
            raise DataError(
                f"{where}: wanted {self.info.sizes[base]} pictures in {file}, "
                f"it lists {len(rows)}"
            )
        top = self.info.num_classes - 1
        for path, label in rows:
            if not 0 <= label <= top:
                raise DataError(
                    f"{where}: wanted labels 0 to {top} in {file}, got {label} "
                    f"of {path}"
                )
        return rows

    def _examples(
        self, source: epath.Path, base: str, rows: list[tuple[str, int]]
    ) -> Iterator[Example]:
        top = source / self.lists[base].folder
        for path, label in rows:
            stopping.look()
            found = next(
                (f for end in _ENDS if (f := top / f"{path}{end}").exists()),
                None,
            )
            if found is None:
                raise DataError(
                    f"{self.info.name}/{base}: wanted the picture "
                    f"{top / path}, which {self.lists[base].name} lists, there "
                    f"is none; {self.advice}"
                )
            yield Example(found.read_bytes(), label, path)


def _lines(text: str) -> list[tuple[str, int]]:
    rows = (row.rsplit(maxsplit=1) for row in text.splitlines() if row.strip())
    return [(path.lstrip("/"), int(label)) for path, label in rows]


def _coco(text: str) -> list[tuple[str, int]]:
    whole: Any = json.loads(text)
    label = {a["image_id"]: a["category_id"] for a in whole["annotations"]}
    return [(str(i["file_name"]), int(label[i["id"]])) for i in whole["images"]]


def _classes(text: str) -> list[tuple[str, int]]:
    images: Any = json.loads(text)["images"]
    return [(str(image["id"]), int(image["class"])) for image in images]


_FORMS = {"lines": _lines, "coco": _coco, "classes": _classes}
