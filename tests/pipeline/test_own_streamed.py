"""Own images that are streamed: their pixels, whatever they are stored as."""

import dataclasses
import io

import cv2
import numpy as np
import pytest
from own_sets import (
    KERAS,
    X,
    Y,
    by_pixels,
    data,
    folder,
    hugging_face,
    loaded,
    npz,
    refused,
    two,
)
from PIL import Image

from ls_tf.pipeline import alike, encoded, jpeg, own, photographs, shards
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.stream import SplitBatches

RECIPE = "imagenet_32"


def records(spec, data_dir):
    """Split -> what its records hold, in order."""
    data_dir.mkdir(exist_ok=True)
    module = own.of(spec, data_dir)
    read = {}
    for base in module.INFO.sizes:
        found = shards.find(module, base, data_dir=data_dir)
        read[base] = [found.read(i) for i in range(len(found))]
    return read


def check(examples, images, labels):
    """Whether records are these images in this order, to the bit."""
    assert [e.label for e in examples] == labels.tolist()
    for example, image in zip(examples, images, strict=True):
        colours = np.broadcast_to(image, (*image.shape[:2], 3))
        np.testing.assert_array_equal(encoded.decode(example.encoded), colours)
        assert encoded.size(example.encoded) == image.shape[:2]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("by_split", [True, False])
def test_a_numpy_file_is_streamed_without_loss(tmp_path, save, by_split):
    whole = {
        "images": np.concatenate([X[9:], X[:9]]),
        "labels": np.concatenate([Y[9:], Y[:9]]),
        "split": np.array(["test"] * 3 + ["train"] * 9),
    }
    save(tmp_path / "own.npz", **(KERAS if by_split else whole))
    spec = data("npz", tmp_path / "own.npz", augmentation=RECIPE)
    read = records(spec, tmp_path / "data")
    assert own.of(spec, None).INFO.class_names == ("0", "1", "2")
    check(read["train"], X[:9], Y[:9])
    check(read["test"], X[9:], Y[9:])
    assert read["test"][1].file_name in ("x_test[1]", "images[1]")


def test_what_is_held_out_is_that_of_arrays_in_memory(tmp_path):
    file = npz(tmp_path, images=X[..., 0], labels=Y)
    spec = data("npz", file, held_out=0.5, augmentation=RECIPE)
    rows = own.hold_out("", {"train": Y}, own.Reading(held_out=0.5))
    read = records(spec, tmp_path / "data")
    for base, (_, chosen) in rows.items():
        check(read[base], X[chosen][..., :1], Y[chosen])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x_train": X[:9].repeat(2, 3)[..., :4]}, "wanted 1 or 3 channels to"),
        (
            {"x_train": np.asfortranarray(X[:9])},
            "wanted x_train in C order to ",
        ),
        ({"x_train": X[:9] / 255}, "got float64 [9, 6, 5, 3]"),
        ({"y_train": Y[:8]}, "got 9 images and 8 labels"),
    ],
)
def test_arrays_that_cannot_be_streamed(tmp_path, change, says):
    file = npz(tmp_path, **(KERAS | change))
    refused(data("npz", file, augmentation=RECIPE), says)


def test_a_file_cut_short_is_told_when_it_is_read(tmp_path):
    file = npz(tmp_path, **KERAS)
    spec = data("npz", file, augmentation=RECIPE)
    module = own.of(spec, None)
    whole = file.read_bytes()
    at = whole.index(X[2].tobytes())
    file.write_bytes(whole[:at] + b"0" + whole[at + 1 :])
    with pytest.raises(DataError, match="own.npz is damaged, it is no NumPy"):
        module.prepare(data_dir=tmp_path)


def test_pictures_of_a_folder_are_streamed_as_they_are_seen(tmp_path):
    folder(tmp_path / "in", "", two())
    told = Image.Exif()
    told[0x112] = 6  # a quarter turn clockwise
    file = tmp_path / "in/cat/0.png"
    file.unlink()
    Image.fromarray(X[0]).save(file.with_suffix(".jpg"), exif=told)
    turned = np.rot90(np.asarray(Image.open(file.with_suffix(".jpg"))), -1)
    spec = data("image_folder", tmp_path / "in", held_out=0.5)
    spec = dataclasses.replace(spec, augmentation=RECIPE)
    read = records(spec, tmp_path / "data")
    pixels = {
        encoded.decode(e.encoded).tobytes()
        for part in read.values()
        for e in part
    }
    assert pixels == {x.tobytes() for x in (turned, *X[1:])}
    # A recipe makes of them what it makes of each alone.
    module = own.of(spec, tmp_path / "data")
    found = shards.find(module, "test", data_dir=tmp_path / "data")
    batches = SplitBatches(found, RECIPE, processes=0).batches()
    evaluate = photographs.recipe(RECIPE).evaluate
    np.testing.assert_array_equal(
        np.concatenate([batch["image"] for batch in batches]),
        [evaluate(example.encoded) for example in read["test"]],
    )


@pytest.mark.slow
def test_a_hugging_face_set_is_streamed_without_loss(tmp_path):
    spec = hugging_face(
        tmp_path / "a", train=(X[:9], Y[:9]), test=(X[9:], Y[9:])
    )
    spec = dataclasses.replace(spec, augmentation=RECIPE)
    read = records(spec, tmp_path / "data")
    check(read["train"], X[:9], Y[:9])
    check(read["test"], X[9:], Y[9:])


def _png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_pngs_of_every_kind_become_colours():
    colours = Image.fromarray(X[0])
    grey = colours.convert("L")
    for picture in (grey, colours.convert("RGBA"), colours.quantize(4)):
        np.testing.assert_array_equal(
            encoded.decode(_png(picture)), np.asarray(picture.convert("RGB"))
        )
    assert encoded.size(_png(grey)) == (6, 5)
    np.testing.assert_array_equal(
        encoded.decode(encoded.png(X[0])), X[0], strict=True
    )
    deep = cv2.imencode(".png", X[0].astype(np.uint16) * 257)[1].tobytes()
    for damaged in (deep, _png(colours)[:60], _png(colours)[:20]):
        with pytest.raises(jpeg.DamagedImageError) as caught:
            encoded.size(damaged)
            encoded.decode(damaged)
        assert "\n" not in str(caught.value)


def _webp(image, **how):
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **how)
    return buffer.getvalue()


def test_webps_are_decoded_as_they_were_made():
    picture = Image.fromarray(X[0])
    kept = _webp(picture, lossless=True)
    assert (encoded.kind(kept), encoded.size(kept)) == ("WEBP", (6, 5))
    np.testing.assert_array_equal(encoded.decode(kept), X[0], strict=True)
    np.testing.assert_array_equal(alike.decode(kept, "x"), X[0], strict=True)
    assert alike.upright(kept, "x") == kept
    for damaged in (kept[:30], kept[:14]):
        with pytest.raises(jpeg.DamagedImageError) as caught:
            encoded.size(damaged)
            encoded.decode(damaged)
        assert "\n" not in str(caught.value)
    # Lossy ones may be read by another decoder of the same library, cv2's or
    # TensorFlow's; Pillow's own is what both ways of reading share.
    lossy = _webp(Image.fromarray(np.tile(X[0], (9, 9, 1))), quality=60)
    both = encoded.decode(lossy), alike.decode(lossy, "x")
    np.testing.assert_array_equal(*both, strict=True)


def test_a_webp_without_its_decoder_is_told(monkeypatch):
    kept = _webp(Image.fromarray(X[0]), lossless=True)
    monkeypatch.setattr(encoded, "formats", lambda: ("PNG", "JPEG"))
    for read in (alike.decode, alike.upright):
        with pytest.raises(DataError, match=r"^a\.x is a WEBP, which the inst"):
            read(kept, "a.x")


@pytest.mark.parametrize("recipe", [None, RECIPE])
def test_a_folder_of_webps_gives_their_pixels(tmp_path, recipe):
    for base, part in (("train", slice(None)), ("test", slice(3))):
        for name, images in two(X[:6][part], X[6:][part]).items():
            place = tmp_path / "set" / base / name
            place.mkdir(parents=True)
            for i, image in enumerate(images):
                made = _webp(Image.fromarray(image), lossless=True)
                (place / f"{i}.webp").write_bytes(made)
    spec = data("image_folder", tmp_path / "set")
    wanted = {(x.tobytes(), int(i > 5)) for i, x in enumerate(X)}
    if recipe is None:
        assert by_pixels(loaded(spec, "train")) == wanted
        return
    read = records(
        dataclasses.replace(spec, augmentation=recipe), tmp_path / "data"
    )
    seen = {
        (encoded.decode(e.encoded).tobytes(), e.label) for e in read["train"]
    }
    assert seen == wanted


def test_all_splits_together_have_to_fit_in_memory(tmp_path, monkeypatch):
    folder(tmp_path, "train", two())
    folder(tmp_path, "test", two(X[:3], X[6:9]))
    spec = data("image_folder", tmp_path)
    monkeypatch.setattr(own, "MOST_BYTES", 18 * X[0].nbytes - 1)
    said = refused(spec, "18 images of 6 x 5 x 3 are 0.0 GB, wanted at most")
    assert "smaller data.image_size, or an augmentation of photographs" in said
    assert "--set=data.augmentation=imagenet_224" in said
    streamed = dataclasses.replace(spec, augmentation=RECIPE)
    assert own.of(streamed, None).INFO.sizes == {"train": 12, "test": 6}
    file = npz(tmp_path, **KERAS)
    monkeypatch.setattr(own, "MOST_BYTES", 1000)
    refused(data("npz", file), "wanted at most 0.0 in memory; say an augment")
    assert own.of(data("npz", file, augmentation=RECIPE), None).INFO.is_own
