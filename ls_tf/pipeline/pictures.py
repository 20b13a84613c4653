"""Prepared files whose images stay as compressed as they came.

A packed file is a prepared file (see ``prepared``) with, for the images of
each split, the bytes of their JPEG or PNG files one behind the other and where
each ends. It is made only if every image comes out of the decoder here as it
came out of TensorFlow's, bit for bit; ``expand`` makes the prepared file of it
again, on a machine without TensorFlow, and checks the digests.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from ls_tf import stopping
from ls_tf.pipeline.contract import Arrays, DataError
from ls_tf.records.arrays import intact, open_npz
from ls_tf.records.files import write_bytes
from ls_tf.records.reading import line

_IMAGE, _ENCODED, _ENDS = "image", "encoded", "ends"
_CHANNELS = "channels"
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"


def wants(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The packages that expand a packed file, beside NumPy."""
    beginnings = {
        bytes(v[:4])
        for k, v in arrays.items()
        if k.endswith(f"/{_ENCODED}") and len(v)
    }
    if any(head.startswith(_JPEG) for head in beginnings):
        return {"simplejpeg": "simplejpeg"}
    return {"PIL": "pillow"}


def decode(encoded: bytes, channels: int) -> np.ndarray:
    """Decodes a JPEG as TensorFlow does, or a PNG.

    Args:
        encoded: the file's bytes.
        channels: 1 or 3.

    Returns:
        uint8 [H, W, channels].

    Raises:
        Exception: whatever the library raises of what is no such picture.

    Source: TensorFlow's decode_jpeg takes the fast integer transform and the
        smooth enlargement of colours.
    """
    image: np.ndarray
    if encoded.startswith(_JPEG):
        import simplejpeg

        image = simplejpeg.decode_jpeg(
            encoded,
            "RGB" if channels == 3 else "GRAY",
            fastdct=True,
            fastupsample=False,
        )
        return image
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as opened:
        image = np.asarray(opened.convert("RGB" if channels == 3 else "L"))
    return image.reshape(*image.shape[:2], channels)


def packed(
    arrays: Mapping[str, np.ndarray], encoded: Mapping[str, Sequence[bytes]]
) -> Arrays | None:
    """Puts the compressed pictures in place of the images.

    Args:
        arrays: of a prepared file, the manifest among them.
        encoded: split -> the bytes of each of its pictures, in order.

    Returns:
        The arrays of a packed file; None if a picture is of another form or
        comes out of the decoder differently.

    Source: ours.
    """
    changed: Arrays = {}
    for base, files in encoded.items():
        images = arrays[f"{base}/{_IMAGE}"]
        heads = {file[: len(_JPEG)] for file in files}
        if len(files) != len(images) or heads not in ({_JPEG}, {_PNG[:2]}):
            return None
        for file, image in zip(files, images, strict=True):
            stopping.look()
            try:
                same = np.array_equal(decode(file, image.shape[-1]), image)
            except Exception:  # the decoder's business, and not packed
                return None
            if not same:
                return None
        sizes = np.array([len(file) for file in files], np.int64)
        changed[f"{base}/{_ENCODED}"] = np.frombuffer(b"".join(files), np.uint8)
        changed[f"{base}/{_ENDS}"] = np.cumsum(sizes)
        changed[f"{base}/{_CHANNELS}"] = np.array(images.shape[-1])
    left = {f"{base}/{_IMAGE}" for base in encoded}
    return {k: v for k, v in arrays.items() if k not in left} | changed


def archive(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Encodes arrays without compressing them."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def expand(
    packed_file: str | os.PathLike[str], file: str | os.PathLike[str]
) -> None:
    """Makes the prepared file of a packed one.

    Args:
        packed_file: what ``archive`` of ``packed`` gave.
        file: the prepared file to write.

    Raises:
        DataError: damaged, or the decoder of this machine gives other pixels.

    Source: ours.
    """
    try:
        opened = open_npz(epath.Path(packed_file))
        arrays = {name: opened[name] for name in opened}
        manifest = json.loads(bytes(arrays["manifest"]))
        for name in [n for n in arrays if n.endswith(f"/{_ENDS}")]:
            base = name.partition("/")[0]
            wanted = manifest["sha256"][f"{base}/{_IMAGE}"]
            ends = arrays.pop(name)
            data = arrays.pop(f"{base}/{_ENCODED}").tobytes()
            channels = int(arrays.pop(f"{base}/{_CHANNELS}"))
            arrays[f"{base}/{_IMAGE}"] = intact(
                np.stack(
                    [
                        decode(data[start:end], channels)
                        for start, end in zip(
                            [0, *ends[:-1]], ends, strict=True
                        )
                    ]
                ),
                wanted,
                f"array {base}/{_IMAGE}, as this machine's decoder gives it,",
            )
        write_bytes(epath.Path(file), archive(arrays))
    except Exception as error:  # a damaged archive raises nearly anything
        raise DataError(
            f"{os.fspath(packed_file)} cannot be expanded: {line(error)}"
        ) from error
