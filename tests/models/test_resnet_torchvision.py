"""The ResNets of ImageNet against torchvision's, with its weights.

Needs the extra ``torchvision``; without it the module is skipped. The other
network runs in a process of its own: TensorFlow and PyTorch do not go into one.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from ls_tf.models import resnet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("torchvision") is None,
        reason="the extra torchvision is not installed",
    ),
]
PROGRAM = Path(__file__).with_name("torchvision_network.py")

# Each of torchvision's networks, by its place among the references.
NAMES = (
    *("resnet18", "resnet34", "resnet50", "resnet101"),
    *("wide_resnet50_2", "resnext50_32x4d", "resnext101_32x8d"),
)
REFERENCES = resnet.REFERENCE[-len(NAMES) :]
SIDE = 64
_OF_A_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def ours(name):
    """Our name of a weight, as in ``layer2.0.downsample.1.bias``."""
    *words, last = name.split(".")
    if words == ["fc"]:
        return f"logits/{'kernel' if last == 'weight' else last}"
    if len(words) == 1:
        place = "stem"
        kind, number = words[0].rstrip("0123456789"), ""
    else:
        group, block, part, *more = words
        place = f"group_{group.removeprefix('layer')}_block_{int(block) + 1}"
        if part == "downsample":
            place, number = f"{place}_shortcut", ""
            kind = "bn" if more == ["1"] else "conv"
        else:
            kind, number = part[:-1], f"_{part[-1]}"
    if kind == "conv":
        return f"{place}_conv{number}/kernel"
    return f"{place}_norm{number}/{_OF_A_NORM[last]}"


def turned(value):
    """A weight as Keras has it: outputs last."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0)}
    return value.transpose(axes[value.ndim]) if value.ndim in axes else value


@pytest.mark.parametrize(
    ("name", "reference"), list(zip(NAMES, REFERENCES, strict=True)), ids=NAMES
)
def test_the_forward_pass_is_torchvisions(
    name, reference, monkeypatch, tmp_path
):
    out = tmp_path / "theirs.npz"
    words = [sys.executable, PROGRAM, name, str(SIDE), out]
    subprocess.run(words, check=True, timeout=300)
    with np.load(out) as arrays:
        theirs = dict(arrays)
    assert theirs["parameters"] == reference.parameters
    zeros = keras.initializers.Zeros()
    for method in ("kernel", "last_kernel"):
        monkeypatch.setattr(resnet._Style, method, lambda *_: zeros)
    options = {**reference.options, "image_shape": (SIDE, SIDE, 3)}
    model = resnet.build(**options, seed=0)
    variables = {v.path: v for v in model.variables}
    for key, value in theirs.items():
        if key.startswith("state/"):
            name_of_ours = ours(key.removeprefix("state/"))
            variables.pop(name_of_ours).assign(turned(value))
    assert not variables
    wanted = theirs["logits"]
    found = np.asarray(model(theirs["images"])["logits"])
    largest = np.abs(wanted).max()
    difference = np.abs(found - wanted).max() / largest
    print(f"{name}: largest difference {difference:.1e} of the largest logit")
    # The images tell the logits apart by far more.
    assert np.abs(wanted[0] - wanted[1]).max() / largest > 0.001
    assert difference < 1e-5
