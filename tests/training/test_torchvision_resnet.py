"""torchvision's ResNets: files with its names, its shapes and made-up values.

That the forward pass is torchvision's is another module's to test.
"""

import numpy as np
import pytest
from safetensors import numpy as safetensors

from ls_tf.models import resnet
from ls_tf.spec import Part, SpecError
from ls_tf.training import weights

OPTIONS = {
    "block": "basic",
    "blocks": (2, 1),
    "widths": (2, 4),
    "stem_width": 2,
    "stem_kernel": 7,
    "stem_downsampling": True,
    "shortcut": "projection",
    "init": "he",
}
NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
# Written by hand: layer, shape of its kernel, and the place in our network.
CONVS = {
    "conv1": ((2, 3, 7, 7), "stem_conv"),
    "layer1.0.conv1": ((2, 2, 3, 3), "group_1_block_1_conv_1"),
    "layer1.0.conv2": ((2, 2, 3, 3), "group_1_block_1_conv_2"),
    "layer1.1.conv1": ((2, 2, 3, 3), "group_1_block_2_conv_1"),
    "layer1.1.conv2": ((2, 2, 3, 3), "group_1_block_2_conv_2"),
    "layer2.0.conv1": ((4, 2, 3, 3), "group_2_block_1_conv_1"),
    "layer2.0.conv2": ((4, 4, 3, 3), "group_2_block_1_conv_2"),
    "layer2.0.downsample.0": ((4, 2, 1, 1), "group_2_block_1_shortcut_conv"),
}
NORMS = {
    "bn1": (2, "stem_norm"),
    "layer1.0.bn1": (2, "group_1_block_1_norm_1"),
    "layer1.0.bn2": (2, "group_1_block_1_norm_2"),
    "layer1.1.bn1": (2, "group_1_block_2_norm_1"),
    "layer1.1.bn2": (2, "group_1_block_2_norm_2"),
    "layer2.0.bn1": (4, "group_2_block_1_norm_1"),
    "layer2.0.bn2": (4, "group_2_block_1_norm_2"),
    "layer2.0.downsample.1": (4, "group_2_block_1_shortcut_norm"),
}


@pytest.fixture(scope="module")
def model():
    size = {"num_classes": 5, "image_shape": (32, 32, 3)}
    return resnet.build(**OPTIONS, **size, seed=0)


def state(**changes):
    """A state_dict with other numbers everywhere; None takes one out."""
    draw = np.random.default_rng(0)
    shapes = {f"{layer}.weight": shape for layer, (shape, _) in CONVS.items()}
    for layer, (width, _) in NORMS.items():
        shapes |= {f"{layer}.{name}": (width,) for name in NORM}
    shapes |= {"fc.weight": (5, 4), "fc.bias": (5,)}
    arrays = {
        name: draw.standard_normal(shape).astype("float32")
        for name, shape in shapes.items()
    }
    for layer in NORMS:
        arrays[f"{layer}.num_batches_tracked"] = np.array(7)
    arrays |= {name.replace("__", "."): v for name, v in changes.items()}
    return {name: v for name, v in arrays.items() if v is not None}


def written(folder, arrays, end=".safetensors", **options):
    file = folder / f"w{end}"
    if end == ".npz":
        np.savez(file, **arrays)
    else:
        safetensors.save_file(arrays, file)
    return Part("resnet", {**OPTIONS, **options}, str(file))


@pytest.mark.parametrize("end", [".npz", ".safetensors"])
def test_each_weight_comes_to_its_place(tmp_path, model, end):
    theirs = state()
    start = weights.of_beginning(written(tmp_path, theirs, end), model)
    assert start.drawn == {}
    found = {k.split("/", 2)[2]: v for k, v in start.arrays.items()}
    for layer, (shape, place) in CONVS.items():
        kernel = found.pop(f"{place}/kernel")
        out, into, height, width = shape
        assert kernel.shape == (height, width, into, out)
        for (i, j, k, n), value in np.ndenumerate(kernel):
            assert value == theirs[f"{layer}.weight"][n, k, i, j]
    for layer, (_, place) in NORMS.items():
        for name, ours in NORM.items():
            value = found.pop(f"{place}/{ours}")
            np.testing.assert_array_equal(value, theirs[f"{layer}.{name}"])
    kernel = found.pop("logits/kernel")
    np.testing.assert_array_equal(kernel, theirs["fc.weight"].T)
    bias = found.pop("logits/bias")
    np.testing.assert_array_equal(bias, theirs["fc.bias"])
    assert not found


def test_a_classifier_of_other_classes_is_drawn(tmp_path, model):
    theirs = state(fc__weight=np.ones((9, 4)), fc__bias=np.ones(9))
    start = weights.of_beginning(written(tmp_path, theirs), model)
    assert not any("/logits/" in name for name in start.arrays)
    assert start.line().endswith(
        "; layer logits is drawn, the file's has 9 classes and not 5"
    )


def test_a_bottlenecks_third_convolution_has_its_place(tmp_path):
    size = {"num_classes": 5, "image_shape": (32, 32, 3)}
    options = {**OPTIONS, "block": "bottleneck", "blocks": (1, 1)}
    model = resnet.build(**options, **size, seed=0)
    names = {
        name: value
        for name, value in state().items()
        if not name.startswith("layer")
    }
    # Widths 2 and 4 become 8 and 16.
    inputs = 2
    for group, width in (("layer1", 2), ("layer2", 4)):
        wide = 4 * width
        for part, shape in (
            ("conv1", (width, inputs, 1, 1)),
            ("conv2", (width, width, 3, 3)),
            ("conv3", (wide, width, 1, 1)),
            ("downsample.0", (wide, inputs, 1, 1)),
        ):
            names[f"{group}.0.{part}.weight"] = np.zeros(shape, "float32")
        for part, size_ in (
            *(("bn1", width), ("bn2", width), ("bn3", wide)),
            ("downsample.1", wide),
        ):
            for name in NORM:
                names[f"{group}.0.{part}.{name}"] = np.zeros(size_, "float32")
        inputs = wide
    names["layer2.0.conv3.weight"][3, 1, 0, 0] = 2.5
    names["fc.weight"] = np.zeros((5, 16), "float32")
    part = written(tmp_path, names, block="bottleneck", blocks=(1, 1))
    start = weights.of_beginning(part, model)
    (kernel,) = (
        value
        for name, value in start.arrays.items()
        if name.endswith("/group_2_block_1_conv_3/kernel")
    )
    assert kernel[0, 0, 1, 3] == kernel.sum() == 2.5
    part = written(tmp_path, names, block="bottleneck", bottleneck_stride="1x1")
    with pytest.raises(SpecError) as caught:
        weights.of_beginning(part, model)
    assert str(caught.value) == (
        f"model.weights: the ResNet of {part.weights} wants "
        "model.options.bottleneck_stride=3x3, got 1x1"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layer1__1__conv2__weight": None}, "no 'group_1_block_2_conv_2/ker"),
        ({"bn1__running_var": None}, "no 'stem_norm/moving_variance'"),
        ({"layer1__2__bn1__bias": np.ones(2)}, "'group_1_block_3_norm_1/beta'"),
        ({"layer1__0__se__weight": np.ones(2)}, "has 'layer1.0.se.weight', w"),
        ({"conv1__bias": np.ones(2)}, "has 'conv1.bias', which the network"),
        ({"head__weight": np.ones(2)}, "has 'head.weight', which the network"),
        # Of two names for one thing neither is left out in silence.
        ({"stem_norm/beta": np.ones(2)}, "has 'bn1.bias', which the network"),
        (
            {"conv1__weight": np.ones((2, 3, 3, 3))},
            "wanted shape (7, 7, 3, 2), got (3, 3, 3, 2)",
        ),
        ({"conv1__weight": np.ones(6)}, "(7, 7, 3, 2), got (6,)"),
        ({"fc__bias": None}, "no 'logits/bias'"),
    ],
)
def test_another_network_is_refused(tmp_path, model, changes, says):
    part = written(tmp_path, state(**changes))
    with pytest.raises(SpecError) as caught:
        weights.of_beginning(part, model)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
