"""Keras applications' ResNet-50: its names, its shapes and its answers."""

import h5py
import keras
import numpy as np
import pytest

from ls_tf.models import resnet
from ls_tf.spec import Part, SpecError
from ls_tf.training import weights
from ls_tf.training.naming import named

OPTIONS = {
    "block": "bottleneck",
    "blocks": (3, 4, 6, 3),
    "widths": (64, 128, 256, 512),
    "stem_width": 64,
    "stem_kernel": 7,
    "stem_downsampling": True,
    "shortcut": "projection",
    "init": "he",
    "bottleneck_stride": "1x1",
}
SIDE = 64


def build(monkeypatch, **changes):
    """The network, without the time to draw its weights."""
    zeros = keras.initializers.Zeros()
    for name in ("kernel", "last_kernel"):
        monkeypatch.setattr(resnet._Style, name, lambda *_: zeros)
    size = {"num_classes": 7, "image_shape": (SIDE, SIDE, 3)}
    return resnet.build(**{**OPTIONS, **size, **changes}, seed=0)


def real_shapes(top):
    """The layers of the real files with what each holds, written by hand."""

    def conv(name, size, inputs, filters):
        yield (
            name,
            {"kernel": (size, size, inputs, filters), "bias": (filters,)},
        )

    def norm(name, channels):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        yield name, dict.fromkeys(names, (channels,))

    yield from conv("conv1_conv", 7, 3, 64)
    yield from norm("conv1_bn", 64)
    inputs = 64
    for stage, count, width in (
        (2, 3, 64),
        (3, 4, 128),
        (4, 6, 256),
        (5, 3, 512),
    ):
        for number in range(1, count + 1):
            name = f"conv{stage}_block{number}"
            if number == 1:
                yield from conv(f"{name}_0_conv", 1, inputs, 4 * width)
                yield from norm(f"{name}_0_bn", 4 * width)
            yield from conv(f"{name}_1_conv", 1, inputs, width)
            yield from norm(f"{name}_1_bn", width)
            yield from conv(f"{name}_2_conv", 3, width, width)
            yield from norm(f"{name}_2_bn", width)
            yield from conv(f"{name}_3_conv", 1, width, 4 * width)
            yield from norm(f"{name}_3_bn", 4 * width)
            inputs = 4 * width
    if top:
        yield top, {"kernel": (2048, 1000), "bias": (1000,)}


def made_up(file, top, leave_out=(), value=lambda layer, name: None):
    """Writes a file of the real names and shapes, as Keras 2 did."""
    with h5py.File(file, "w") as opened:
        layers = dict(real_shapes(top))
        for empty in ("input_1", "conv1_pad", "conv1_relu", "avg_pool"):
            opened.create_group(empty).attrs["weight_names"] = []
        opened.attrs["layer_names"] = [name.encode() for name in layers]
        opened.attrs["backend"] = b"tensorflow"
        for layer, shapes in layers.items():
            group = opened.create_group(layer)
            group.attrs["weight_names"] = [
                f"{layer}/{name}:0".encode() for name in shapes
            ]
            for name, shape in shapes.items():
                if f"{layer}/{name}" in leave_out:
                    continue
                # What is not written takes no room in the file.
                data = group.create_dataset(
                    f"{layer}/{name}:0", shape, dtype="float32"
                )
                if (filled := value(layer, name)) is not None:
                    data[...] = filled
    return Part("resnet", OPTIONS, str(file))


@pytest.mark.parametrize(
    ("top", "drawn"),
    [
        ("predictions", "has 1000 classes and not 7"),
        ("probs", "has 1000 classes and not 7"),
        (None, "the file has none"),
    ],
)
def test_the_real_names_and_shapes_fit(tmp_path, monkeypatch, top, drawn):
    total = sum(
        int(np.prod(shape))
        for _, shapes in real_shapes("predictions")
        for shape in shapes.values()
    )
    assert total == 25_636_712  # as keras.applications documents
    model = build(monkeypatch)
    start = weights.of_beginning(made_up(tmp_path / "w.h5", top), model)
    assert list(start.drawn) == ["logits"]
    assert drawn in start.line()
    names = named("model", model.variables)
    kept = {name for name in names if "/logits/" not in name}
    assert set(start.arrays) == kept


def test_a_classifier_of_as_many_classes_is_taken(tmp_path, monkeypatch):
    model = build(monkeypatch, num_classes=1000)
    part = made_up(
        tmp_path / "w.h5",
        "predictions",
        value=lambda layer, name: 2.5 if layer == "predictions" else None,
    )
    start = weights.of_beginning(part, model)
    assert start.drawn == {}
    values = {k: v for k, v in start.arrays.items() if "/logits/" in k}
    assert len(values) == 2
    assert all((value == 2.5).all() for value in values.values())


def test_what_is_folded(tmp_path, monkeypatch):
    """One hand value for each thing that our network has not."""
    kernel = np.zeros((7, 7, 3, 64), np.float32)
    kernel[0, 0, :, 0] = (1, 2, 3)  # blue, green, red
    values = {
        "conv1_conv/kernel": kernel,
        "conv1_conv/bias": 0.25,
        "conv1_bn/moving_mean": 1.0,
        "conv1_bn/moving_variance": 2e-8,
        "conv3_block1_0_conv/bias": 4.0,
        "conv3_block1_0_bn/moving_mean": 1.0,
    }
    part = made_up(
        tmp_path / "w.h5",
        None,
        value=lambda layer, name: values.get(f"{layer}/{name}"),
    )
    start = weights.of_beginning(part, build(monkeypatch))
    found = {k.split("/", 2)[2]: v for k, v in start.arrays.items()}
    assert found["stem_conv/kernel"][0, 0, :, 0].tolist() == [3, 2, 1]
    assert (found["stem_norm/moving_mean"] == 0.75).all()
    # 2e-8 + 1.001e-5 - 1e-5
    np.testing.assert_allclose(
        found["stem_norm/moving_variance"], 3e-8, rtol=1e-5
    )
    mean = found["group_2_block_1_shortcut_norm/moving_mean"]
    assert (mean == -3).all()


@pytest.mark.parametrize(
    ("left_out", "options", "says"),
    [
        (["conv4_block6_2_conv/kernel"], {}, "no 'group_3_block_6_conv_2/ker"),
        (["conv1_bn/gamma"], {}, "no 'stem_norm/gamma'"),
        # A bias that has no moving mean to go into.
        (["conv1_bn/moving_mean"], {}, "no 'stem_norm/moving_mean'"),
        ([], {"blocks": (3, 4, 5, 3)}, "has 'group_3_block_6_norm_1/beta', "),
        ([], {"stem_width": 32}, "wanted shape (7, 7, 3, 32), got (7, 7, 3, 6"),
    ],
)
def test_another_network_is_refused(
    tmp_path, monkeypatch, left_out, options, says
):
    part = made_up(tmp_path / "w.h5", None, left_out)
    with pytest.raises(SpecError) as caught:
        weights.of_beginning(part, build(monkeypatch, **options))
    assert says in str(caught.value)


def test_a_stride_elsewhere_is_refused(tmp_path, monkeypatch):
    part = made_up(tmp_path / "w.h5", None)
    options = {k: v for k, v in OPTIONS.items() if k != "bottleneck_stride"}
    model = build(monkeypatch, bottleneck_stride="3x3")
    with pytest.raises(SpecError) as caught:
        weights.of_beginning(Part("resnet", options, part.weights), model)
    assert str(caught.value) == (
        f"model.weights: the ResNet-50 of {part.weights} wants "
        "model.options.bottleneck_stride=1x1, got 3x3"
    )


@pytest.mark.slow
def test_the_answers_are_keras_applications(tmp_path, monkeypatch):
    theirs = keras.applications.ResNet50(
        weights=None,
        input_shape=(SIDE, SIDE, 3),
        classes=7,
        classifier_activation=None,
    )
    draw = np.random.default_rng(0)
    for v in theirs.variables:
        if v.name != "kernel":  # biases too, and what varies
            v.assign(draw.uniform(0.5, 1.0, v.shape))
    files = [tmp_path / name for name in ("w.h5", "whole.h5", "w.weights.h5")]
    by_name = {v.path: np.asarray(v) for v in theirs.variables}
    made_up(
        files[0], None, value=lambda layer, name: by_name[f"{layer}/{name}"]
    )
    with h5py.File(files[0], "a") as opened:
        for name in ("kernel", "bias"):
            opened[f"predictions/predictions/{name}:0"] = by_name[
                f"predictions/{name}"
            ]
    theirs.save(files[1])
    theirs.save_weights(files[2])
    images = draw.standard_normal((2, SIDE, SIDE, 3)).astype("float32")
    wanted = np.asarray(theirs(images[..., ::-1]))  # blue, green, red
    largest = np.abs(wanted).max()
    assert np.abs(wanted[0] - wanted[1]).max() / largest > 0.001
    assert np.abs(np.asarray(theirs(images)) - wanted).max() / largest > 1e-4
    model = build(monkeypatch)
    names = named("model", model.variables)
    for file in files:
        part = Part("resnet", OPTIONS, str(file))
        start = weights.of_beginning(part, model)
        assert start.drawn == {}
        for name, value in start.arrays.items():
            names[name].assign(value)
        found = np.asarray(model(images)["logits"])
        difference = np.abs(found - wanted).max() / largest
        print(f"{file.name}: largest difference {difference:.1e}")
        assert difference < 1e-5
