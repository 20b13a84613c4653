"""Pictures as compressed as they came are the same pixels, or not taken."""

import io

import numpy as np
import pytest
import simplejpeg
import tensorflow as tf
from PIL import Image

from ls_tf.data import cifar10
from ls_tf.pipeline import pictures, prepared
from ls_tf.pipeline.contract import DataError
from ls_tf.records.arrays import open_npz

SIZE = (32, 32, 3)


def smooth(count):
    """Pictures with slopes and edges, which JPEG does not keep exactly."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    return np.kron(coarse, np.ones((1, 4, 4, 1), np.uint8))


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(image):
    return simplejpeg.encode_jpeg(image, 75, "RGB", "420")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A prepared file of some encoded pictures, as TensorFlow decodes them."""

    def make(encoded):
        images = np.stack([tf.io.decode_image(e).numpy() for e in encoded])
        info = cifar10.INFO
        monkeypatch.setitem(info.sizes, "test", len(images))
        arrays = {"image": images, "label": np.arange(len(images), dtype="i4")}
        monkeypatch.setattr(prepared, "_check", lambda *_: None)
        file = tmp_path / "whole.npz"
        prepared.write(file, experiment="x", info=info, splits={"test": arrays})
        opened = open_npz(prepared.target(file))
        return {name: opened[name] for name in opened}

    return make


@pytest.mark.parametrize(
    ("encode", "package"), [(jpeg, "simplejpeg"), (png, "PIL")]
)
def test_they_come_out_as_tensorflow_decodes_them(
    made, tmp_path, encode, package
):
    encoded = [encode(image) for image in smooth(20)]
    whole = made(encoded)
    packed = pictures.packed(whole, {"test": encoded})
    assert "test/image" not in packed
    assert len(packed["test/encoded"]) == sum(map(len, encoded))
    assert list(pictures.wants(packed)) == [package]
    file, out = tmp_path / "packed", tmp_path / "out.npz"
    file.write_bytes(pictures.archive(packed))
    pictures.expand(file, out)
    _, splits = prepared.whole(cifar10.INFO, ("test",), out)
    np.testing.assert_array_equal(splits["test"]["image"], whole["test/image"])
    np.testing.assert_array_equal(splits["test"]["label"], np.arange(20))


def test_grey_ones_do_too():
    image = np.ascontiguousarray(smooth(1)[0][..., :1])
    np.testing.assert_array_equal(pictures.decode(png(image), 1), image)
    encoded = simplejpeg.encode_jpeg(image, 75, "GRAY", "Gray")
    wanted = tf.io.decode_jpeg(encoded, channels=1).numpy()
    np.testing.assert_array_equal(pictures.decode(encoded, 1), wanted)


def test_what_decodes_differently_is_not_packed(made):
    encoded = [jpeg(image) for image in smooth(3)]
    whole = made(encoded)
    assert pictures.packed(whole, {"test": encoded}) is not None
    whole["test/image"][2, 0, 0, 0] ^= 1
    assert pictures.packed(whole, {"test": encoded}) is None
    assert pictures.packed(made(encoded), {"test": encoded[:2]}) is None
    assert (
        pictures.packed(made(encoded), {"test": [b"BM", *encoded[1:]]}) is None
    )


def test_a_decoder_of_other_pixels_is_refused(made, tmp_path, monkeypatch):
    encoded = [jpeg(image) for image in smooth(3)]
    packed = pictures.packed(made(encoded), {"test": encoded})
    file = tmp_path / "packed"
    file.write_bytes(pictures.archive(packed))
    decode = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda *a: decode(*a) ^ 1)
    with pytest.raises(DataError, match="as this machine's decoder gives it"):
        pictures.expand(file, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(DataError, match="cannot be expanded"):
        pictures.expand(file, tmp_path / "out.npz")
