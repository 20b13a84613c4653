"""The weights of Keras applications' ResNet-50, in our network.

The files are ``resnet50_weights_tf_dim_ordering_tf_kernels.h5`` and the same
with ``_notop``, which have a folder of arrays for each layer, or what
``save_weights`` writes of a ``keras.applications.ResNet50`` today. What our
network lacks is folded into what it has, so that inference gives the same
numbers up to rounding:

* a convolution's bias goes into the moving mean of the normalization behind it,
  which takes it away again in training anyway;
* the epsilon of 1.001e-5, where ours is 1e-5, into the moving variance;
* Keras's images have their channels in the order blue, green, red, and ours
  red, green, blue: the first kernel is turned round.

Its stride is in the first convolution of a bottleneck, as in the network of He
et al. 2015: ``model.options.bottleneck_stride=1x1``. It wants images of 0 to
255 less their means (123.68, 116.779, 103.939 of red, green, blue). Divided by
anything they do as well to begin a training with: the first normalization
takes a factor away.

Source: keras.applications.resnet; the files are those of
https://storage.googleapis.com/tensorflow/keras-applications/resnet/.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

STRIDE = "1x1"

_MORE_EPSILON = 1.001e-5 - 1e-5
_CONV = ("kernel", "bias")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_LAYER = re.compile(r"conv([2-5])_block([0-9]+)_([0-3])_(conv|bn)")
_STEM = {"conv1_conv": "stem_conv", "conv1_bn": "stem_norm"}
_NO_LAYERS = ("optimizer_weights", "top_level_model_weights")
_CLASSIFIERS = ("predictions", "probs")


def arrays(file: Any) -> dict[str, np.ndarray]:
    """Reads all weights of an opened HDF5 file, by layer and name.

    Args:
        file: an ``h5py.File``.

    Returns:
        dict: ``conv1_conv/kernel`` -> array.

    Source: ours.
    """
    found: dict[str, np.ndarray] = {}

    def visit(path: str, entry: Any) -> None:
        if not hasattr(entry, "shape"):
            return
        *folders, last = path.removeprefix("model_weights/").split("/")
        if folders and folders[-1] == "vars":
            # Keras 3: numbered, and the folder says whose they are.
            layer = str(entry.parent.attrs.get("name", folders[-2]))
            names = _NORM if layer.endswith("_bn") else _CONV
            number = int(last) if last.isdecimal() else len(names)
            name = names[number] if number < len(names) else last
        else:
            layer, name = (folders or [last])[0], last.partition(":")[0]
        if layer not in _NO_LAYERS and folders[:1] != ["optimizer"]:
            found[f"{layer}/{name}"] = np.asarray(entry)

    file.visititems(visit)
    return found


def _ours(layer: str) -> str:
    """Our name of a layer; a name that is not Keras's stays."""
    if layer in _CLASSIFIERS:
        return "logits"
    match = _LAYER.fullmatch(layer)
    if match is None:
        return _STEM.get(layer, layer)
    stage, block, number, kind = match.groups()
    kind = "conv" if kind == "conv" else "norm"
    place = f"group_{int(stage) - 1}_block_{block}"
    if number == "0":
        return f"{place}_shortcut_{kind}"
    return f"{place}_{kind}_{number}"


def as_ours(theirs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives Keras's weights our names, and makes our values of them.

    Args:
        theirs: of ``arrays``.

    Returns:
        dict: ``stem_conv/kernel`` -> array; what is not of ResNet-50 has the
        name that it had.

    Source: ours.
    """
    ours = {}
    for name, array in theirs.items():
        layer, _, last = name.partition("/")
        ours[f"{_ours(layer)}/{last}"] = np.asarray(array, np.float64)
    for name in [n for n in ours if n.endswith("/bias")]:
        layer = name.removesuffix("/bias")
        mean = f"{layer.replace('_conv', '_norm')}/moving_mean"
        is_folded = layer != "logits" and mean in ours
        if is_folded and ours[mean].shape == ours[name].shape:
            ours[mean] = ours[mean] - ours.pop(name)
    for name, array in ours.items():
        if name.endswith("/moving_variance"):
            ours[name] = array + _MORE_EPSILON
    stem = "stem_conv/kernel"
    if stem in ours and ours[stem].ndim == 4:
        ours[stem] = ours[stem][:, :, ::-1]
    return {name: array.astype(np.float32) for name, array in ours.items()}
