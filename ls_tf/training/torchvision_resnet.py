"""The weights of torchvision's ResNets, in our network.

The file is a ``.safetensors`` or ``.npz`` of a network's ``state_dict``, with
the names that it has there. PyTorch's kernels have their outputs first, and
ours last. Counts of batches, ``num_batches_tracked``, are left out.

The stride of a bottleneck is in its 3 x 3 convolution, our default. The images
are standardized with ImageNet's means and deviations of the colours, as
``imagenet_224`` does.

Source: torchvision.models.resnet.
"""

import re
from collections.abc import Mapping

import numpy as np

STRIDE = "3x3"

_STEM = "conv1.weight"
_IN_A_BLOCK = re.compile(
    r"layer([1-9])\.([0-9]+)\."
    r"(?:(conv|bn)([1-3])|downsample\.([01]))\.(\w+)"
)
_OF_A_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_CLASSIFIER = {"fc.weight": "logits/kernel", "fc.bias": "logits/bias"}
_COUNT = "num_batches_tracked"
# PyTorch's outputs, inputs, height and width; outputs and inputs.
_AXES = {4: (2, 3, 1, 0), 2: (1, 0)}


def is_theirs(names: Mapping[str, object]) -> bool:
    """Whether names are torchvision's: the stem's, or those of blocks."""
    return _STEM in names or any(map(_IN_A_BLOCK.fullmatch, names))


def _of_layer(place: str, kind: str, number: str, last: str) -> str | None:
    """Our name of what a convolution or a normalization has."""
    if kind == "conv":
        return f"{place}_conv{number}/kernel" if last == "weight" else None
    ours = _OF_A_NORM.get(last)
    return f"{place}_norm{number}/{ours}" if ours else None


def _ours(name: str) -> str | None:
    """Our name of an array; None for a name that is not torchvision's."""
    layer, _, last = name.rpartition(".")
    if layer in ("conv1", "bn1"):
        return _of_layer("stem", layer[:-1], "", last)
    match = _IN_A_BLOCK.fullmatch(name)
    if match is None:
        return _CLASSIFIER.get(name)
    group, block, kind, number, of_shortcut, last = match.groups()
    place = f"group_{group}_block_{int(block) + 1}"
    if of_shortcut:
        kind = "conv" if of_shortcut == "0" else "norm"
        return _of_layer(f"{place}_shortcut", kind, "", last)
    return _of_layer(place, kind, f"_{number}", last)


def as_ours(theirs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives torchvision's weights our names, and turns the kernels.

    Args:
        theirs: the name in a ``state_dict`` -> array.

    Returns:
        dict: ``stem_conv/kernel`` -> array; what is not of a ResNet, and what
        would have another's name, has the name and value that it had.

    Source: ours.
    """
    ours: dict[str, np.ndarray] = {}
    for name, array in theirs.items():
        if name.rpartition(".")[2] == _COUNT:
            continue
        new = _ours(name)
        if new is None or new in theirs:
            ours[name] = array
        elif array.ndim in _AXES:
            ours[new] = array.transpose(_AXES[array.ndim])
        else:
            ours[new] = array
    return ours
