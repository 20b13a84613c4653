"""Folders of pictures: what lies in them, as arrays or as records."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from ls_tf import seeds, stopping
from ls_tf.pipeline import array_cache, own, own_records
from ls_tf.pipeline.contract import Arrays, DataError, line
from ls_tf.pipeline.shards import Example

_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_READ = (".png", ".webp", *_JPEG)
# Endings of pictures that are not read: to pass over them might surprise.
_OTHERS = (
    *(".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".jp2"),
    *(".ppm", ".pgm", ".pnm", ".tga"),
)
_NO_CLASSES = ("__MACOSX", "__pycache__")
# Folders of these names are splits, if they have folders of classes.
_LIKE_SPLITS = (*own.SPLITS, "training", "testing")
_DECODER = 2  # another number where a picture is decoded to other pixels


@dataclasses.dataclass(frozen=True)
class Listing:
    """The pictures of a folder, mixed; equal as long as no file changes.

    Attributes:
        name: of the set, for messages.
        source: the folder.
        class_names: rising.
        files: split, path below the folder, class id, size in bytes and time
            of the last change of each picture.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    files: tuple[tuple[str, str, int, int, int], ...]

    @functools.cached_property
    def splits(self) -> Mapping[str, list[tuple[str, int]]]:
        """Split -> path below the folder and class id of each picture."""
        made: dict[str, list[tuple[str, int]]] = {}
        for base, path, label, *_ in self.files:
            made.setdefault(base, []).append((path, label))
        return made

    @functools.cached_property
    def labels(self) -> Mapping[str, np.ndarray]:
        """Split -> class ids, int32 [N]."""
        return {
            base: np.array([label for _, label in rows], np.int32)
            for base, rows in self.splits.items()
        }

    @functools.cached_property
    def sha256(self) -> str:
        """Of the names, sizes and times of all files."""
        told = repr((self.source, self.class_names, self.files))
        return hashlib.sha256(told.encode()).hexdigest()


def listed(name: str, source: str) -> Listing:
    """Lists the pictures of a folder.

    They are mixed by a fixed permutation, so that a part of a split has
    examples of all classes.

    Args:
        name: of the set, for messages.
        source: the folder.

    Returns:
        The listing.

    Raises:
        DataError: no folder, no pictures, a class without any, a split that
            has other classes than ``train``; one line.

    Source: ours.
    """
    top = Path(source).expanduser()
    if "://" in source:
        raise DataError(
            f"data.source: wanted a folder on a local or mounted disk, got "
            f"{source}"
        )
    try:
        if not top.is_dir():
            came = "is none" if top.exists() else "is not there"
            raise DataError(f"data.source: wanted a folder, {top} {came}")
        found = {
            base: _of_split(f"{name}/{base}", folder)
            for base, folder in _split_folders(name, top).items()
        }
    except OSError as error:
        raise DataError(f"{name}: cannot read {top}: {line(error)}") from None
    names = tuple(found["train"])
    for base, kinds in found.items():
        if other := sorted(set(kinds) ^ set(names)):
            where = "there alone" if other[0] in kinds else "missing"
            raise DataError(
                f"{name}/{base}: wanted the classes of train, "
                f"'{other[0]}' is {where}"
            )
    if len(names) < 2:
        raise DataError(
            f"{name}: wanted 2 classes or more, a folder each, got "
            f"{', '.join(names)} in {top}"
        )
    files = []
    for base, kinds in found.items():
        rows = [
            (base, str(file.relative_to(top)), names.index(kind), size, changed)
            for kind, pictures in kinds.items()
            for file, size, changed in pictures
        ]
        words = seeds.philox(0, "folders", base).bit_generator.random_raw(
            len(rows)
        )
        files += [rows[i] for i in np.argsort(np.asarray(words), kind="stable")]
    return Listing(name, str(top.resolve()), names, tuple(files))


def _split_folders(name: str, top: Path) -> dict[str, Path]:
    """Finds the folder of each split; that of all pictures is ``train``."""
    below = _folders(top)
    # A class may be called train, too: a split has folders of classes.
    parts = [f for f in below if f.name.lower() in _LIKE_SPLITS and _folders(f)]
    if not parts:
        return {"train": top}
    made: dict[str, Path] = {}
    for folder in below:
        base = own.SPLITS.get(folder.name.lower())
        if base is None or base in made:
            raise DataError(
                f"{name}: wanted beside train the folders test and validation "
                f"(or val), each once, got {folder}"
            )
        made[base] = folder
    if "train" not in made:
        raise DataError(
            f"{name}: wanted a folder train beside {parts[0]}, got none"
        )
    return dict(sorted(made.items(), key=lambda item: item[0] != "train"))


def _folders(folder: Path) -> list[Path]:
    """The folders in one, by name; what programs hide there is passed over."""
    return sorted(
        f
        for f in folder.iterdir()
        if not _is_hidden(f.name) and _named(f).is_dir()
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _NO_CLASSES


def _named(path: Path) -> Path:
    """Refuses a name that no record of a run could hold.

    Raises:
        DataError: it is no Unicode.
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"wanted names in UTF-8, got {os.fsencode(path)!r}; rename it"
        ) from None
    return path


def _of_split(
    where: str, folder: Path
) -> dict[str, list[tuple[Path, int, int]]]:
    """Lists the pictures of each class, by name: file, bytes and time."""
    kinds = {
        kind.name: [
            (file, facts.st_size, facts.st_mtime_ns)
            for file in sorted(_pictures(kind))
            for facts in (file.stat(),)
        ]
        for kind in _folders(folder)
    }
    if not any(kinds.values()):
        raise DataError(
            f"{where}: wanted PNG, JPEG or WEBP files in a folder for each "
            f"class, got none in {folder}"
        )
    for kind, files in kinds.items():
        if not files:
            raise DataError(
                f"{where}: wanted PNG, JPEG or WEBP files of every class, got "
                f"none in {folder / kind}"
            )
    return kinds


def _pictures(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    # What is linked to is read as well; a link to a folder above, in which
    # it lies itself, would have no end.
    for parent, folders, names in os.walk(
        folder, onerror=refuse, followlinks=True
    ):
        stopping.look()
        here = Path(parent).resolve()
        folders[:] = [
            name
            for name in folders
            if not _is_hidden(name)
            and not here.is_relative_to((here / name).resolve())
        ]
        for name in names:
            ending = os.path.splitext(name)[1].lower()
            if ending in _OTHERS:
                raise DataError(
                    f"wanted PNG, JPEG or WEBP files, got {Path(parent, name)}"
                )
            if ending in _READ and not name.startswith("."):
                yield _named(Path(parent, name))


# --- In memory --------------------------------------------------------------


def decoded(listing: Listing, base: str, how: own.Reading) -> Arrays:
    """Decodes a split, or takes it from where it was kept.

    Args:
        listing: the pictures.
        base: the split.
        how: it is read; the arrays are kept in ``ls_tf_arrays`` of the data
            directory, if that is there.

    Returns:
        ``image`` uint8 [N, H, W, C] and ``label`` int32 [N].

    Raises:
        DataError: a picture is damaged, or they are not alike.

    Source: ours.
    """
    from ls_tf.pipeline import alike

    top, rows = Path(listing.source), listing.splits[base]
    size, channels = how.image_size, how.channels
    about = {
        "files": listing.sha256,
        "size": [*size],
        "channels": channels,
        "decoder": _DECODER,
    }
    told = hashlib.sha256(repr((listing.source, size, channels)).encode())
    kept = array_cache.folder(how.data_dir)
    cache = kept and kept / "image_folder" / told.hexdigest()[:16]
    arrays = array_cache.read(cache, base, ["image"], about) if cache else None
    if arrays is None:
        total = len(listing.files)
        if size and channels:
            own.check_bytes(listing.name, total, (*size, channels))
        pictures = (
            (file, alike.decode(_read(top / path), file, size, channels))
            for path, _ in rows
            for file in (str(top / path),)
        )
        where = f"{listing.name}/{base}"
        arrays = {"image": alike.together(pictures, where, len(rows), total)}
        if cache:
            array_cache.write(cache, base, arrays, about)
    return {"image": arrays["image"], "label": listing.labels[base]}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror or line(error)}"
        ) from None


# --- Streamed ---------------------------------------------------------------


def streamed(listing: Listing, how: own.Reading) -> ModuleType:
    """Makes a data set of files that are read when they are needed.

    Args:
        listing: the pictures.
        how: it is read.

    Returns:
        Its module; its ``prepare`` copies the files, unchanged, into
        ArrayRecord files in the data directory; those that a camera wrote on
        their side are turned first, and are PNGs then.

    Raises:
        DataError: see ``own_records.streamed``.

    Source: ours.
    """

    def pictures(base: str, rows: np.ndarray) -> Iterator[Example]:
        from ls_tf.pipeline import alike

        for row in rows.tolist():
            path, label = listing.splits[base][row]
            file = Path(listing.source, path)
            encoded = alike.upright(_read(file), str(file))
            yield Example(encoded, label, str(file))

    return own_records.streamed(
        listing.name,
        listing.labels,
        listing.class_names,
        pictures,
        how,
        listing.sha256,
    )
