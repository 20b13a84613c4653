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
from ls_tf.training import torchvision_resnet

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
    state = {
        key.removeprefix("state/"): value
        for key, value in theirs.items()
        if key.startswith("state/")
    }
    assert torchvision_resnet.is_theirs(state)
    for key, value in torchvision_resnet.as_ours(state).items():
        variables.pop(key).assign(value)
    assert not variables
    wanted = theirs["logits"]
    found = np.asarray(model(theirs["images"])["logits"])
    largest = np.abs(wanted).max()
    difference = np.abs(found - wanted).max() / largest
    print(f"{name}: largest difference {difference:.1e} of the largest logit")
    # The images tell the logits apart by far more.
    assert np.abs(wanted[0] - wanted[1]).max() / largest > 0.001
    assert difference < 1e-5
