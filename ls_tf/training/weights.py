"""The weights of others that a network starts from, before its first step.

A file is ours, ``.npz`` or ``.safetensors``, with the names of a checkpoint
(``model/0003/hidden_1/kernel``) or their last words (``hidden_1/kernel``), or
with those of torchvision's ResNets (``layer1.0.conv1.weight``); or ``.h5``,
Keras applications' ResNet-50. A checkpoint's ``arrays.safetensors`` will do:
what it holds of the optimizer and of noise is left out; its weights are those
of its last step, not their average.

Every weight of the network is in the file, in its shape, and nothing else is:
but for the classifier, which is drawn where the file has none or has one of
other classes.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils.epath import Path
from safetensors import numpy as safetensors

from ls_tf.records.arrays import DamageError, decode_npz
from ls_tf.records.reading import reading
from ls_tf.spec import Part, SpecError
from ls_tf.training import keras_resnet50, torchvision_resnet
from ls_tf.training.checkpoints import CheckpointError
from ls_tf.training.engine import Network
from ls_tf.training.naming import named

_WHAT = "file of weights"
# What of a ResNet has neither names nor shapes.
_STRIDE, _DEFAULT_STRIDE = "bottleneck_stride", "3x3"
# Last layers: theirs is the number of classes.
_CLASSIFIERS = ("logits", "auxiliary_logits")
_PLACE = re.compile(r"model/([0-9]{4}/.+)")
_NO_WEIGHTS = re.compile(r"(optimizer|pending)/|(.*/)?seed_generator_state")


@dataclass(frozen=True)
class Start:
    """What a network starts from.

    Attributes:
        file: as the experiment names it.
        sha256: of the file; "" where it is not there and need not be.
        arrays: name of a checkpoint's array -> value; empty for a run that
            goes on.
        drawn: classifiers that are drawn, and why.
    """

    file: str
    sha256: str
    arrays: Mapping[str, np.ndarray]
    drawn: Mapping[str, str]

    def load_into(self, network: Network) -> None:
        """Gives a network at step 0 the weights."""
        network.load({**network.state(), **self.arrays})

    def facts(self) -> dict[str, Any]:
        """What the record says of it; nothing where the file is gone."""
        if not self.sha256:
            return {}
        return {"weights": {"file": self.file, "sha256": self.sha256}}

    def about(self) -> dict[str, str]:
        """What the processes of a run that begins must have alike."""
        return {"weights": self.sha256[:12]} if self.arrays else {}

    def line(self) -> str:
        """What a user should know of it."""
        drawn = [
            f"; layer {layer} is drawn, {why}"
            for layer, why in self.drawn.items()
        ]
        return f"{self.file}, SHA-256 {self.sha256[:12]}{''.join(drawn)}"


NOTHING = Start("", "", {}, {})


def of_going_on(part: Part) -> Start:
    """The start of a run that has begun: the file may be gone.

    Raises:
        CheckpointError: it is there and cannot be read.
    """
    with reading(part.weights, _WHAT, CheckpointError):
        is_there = _path(part).exists()
        data = _path(part).read_bytes() if is_there else None
    sha256 = "" if data is None else hashlib.sha256(data).hexdigest()
    return Start(part.weights, sha256, {}, {})


def of_beginning(part: Part, model: Any) -> Start:
    """Reads the weights that a network starts from.

    Args:
        part: the model of an experiment, whose ``weights`` name a file.
        model: a ``keras.Model`` built of it.

    Returns:
        Start.

    Raises:
        CheckpointError: the file is missing or damaged.
        SpecError: it is of another network; one line names the first
            difference.

    Source: ours.
    """
    with reading(part.weights, _WHAT, CheckpointError):
        data = _path(part).read_bytes()
        given = _decoded(data, part.weights)
    if part.weights.endswith(".h5"):
        _refuse_other_stride(part, "ResNet-50", keras_resnet50.STRIDE)
    elif torchvision_resnet.is_theirs(given):
        _refuse_other_stride(part, "ResNet", torchvision_resnet.STRIDE)
        given = torchvision_resnet.as_ours(given)
    arrays, drawn = _fitted(given, model, part.weights)
    return Start(part.weights, hashlib.sha256(data).hexdigest(), arrays, drawn)


def _path(part: Part) -> Path:
    return Path(part.weights).expanduser()


def _decoded(data: bytes, file: str) -> dict[str, np.ndarray]:
    if file.endswith(".h5"):
        import h5py

        try:
            with h5py.File(io.BytesIO(data), "r") as opened:
                theirs = keras_resnet50.arrays(opened)
        except OSError as error:  # of what is in it: the bytes are here
            raise DamageError(str(error)) from None
        return keras_resnet50.as_ours(theirs)
    if file.endswith(".npz"):
        return dict(decode_npz(data))
    loaded: dict[str, np.ndarray] = safetensors.load(data)
    return loaded


def _refuse_other_stride(part: Part, network: str, wanted: str) -> None:
    """Refuses a network in which others' weights mean something else.

    Of another network the names and shapes tell; a stride has none.
    """
    got = part.options.get(_STRIDE, _DEFAULT_STRIDE)
    if part.name == "resnet" and got != wanted:
        raise SpecError(
            f"model.weights: the {network} of {part.weights} wants "
            f"model.options.{_STRIDE}={wanted}, got {got}"
        )


def _by_last_words(names: Mapping[str, Any]) -> dict[str, str]:
    """Name as others may write it -> name of a checkpoint.

    The place counts where two would have the same last words.
    """
    short = {name.split("/", 2)[2]: name for name in names}
    if len(short) < len(names):
        short = {name.removeprefix("model/"): name for name in names}
    return short


def _fitted(
    given: Mapping[str, np.ndarray], model: Any, file: str
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a file by the names of a network, and what is drawn."""
    variables = {
        name: variable
        for name, variable in named("model", model.variables).items()
        if not _NO_WEIGHTS.fullmatch(name)
    }
    names = _by_last_words(variables)
    has_places = any(name.partition("/")[0].isdecimal() for name in names)
    values: dict[str, np.ndarray] = {}
    for name, array in given.items():
        if _NO_WEIGHTS.match(name):
            continue
        match = _PLACE.fullmatch(name)
        short = match[1] if match else name
        if match and not has_places:
            short = short.partition("/")[2]
        if short in values:
            raise SpecError(f"model.weights: {file} has '{short}' twice")
        values[short] = array
    drawn = _drawn(values, names, variables)
    fitted = {}
    for short, name in names.items():
        if short.rpartition("/")[0] in drawn:
            values.pop(short, None)
            continue
        fitted[name] = _value(values, short, variables[name], file)
    for short in values:
        raise SpecError(
            f"model.weights: {file} has '{short}', which the network has not"
        )
    return fitted, drawn


def _drawn(
    values: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    variables: Mapping[str, Any],
) -> dict[str, str]:
    """Which classifiers have no counterpart, and why."""
    drawn = {}
    for layer in _CLASSIFIERS:
        kernel = f"{layer}/kernel"
        if kernel not in names:
            continue
        wanted = variables[names[kernel]].shape[-1]
        if not any(name.startswith(f"{layer}/") for name in values):
            drawn[layer] = "the file has none"
        elif kernel in values and values[kernel].shape[-1:] != (wanted,):
            got = values[kernel].shape[-1] if values[kernel].ndim else 0
            drawn[layer] = f"the file's has {got} classes and not {wanted}"
    return drawn


def _value(
    values: dict[str, np.ndarray], short: str, variable: Any, file: str
) -> np.ndarray:
    """Takes one array out, if it is what a variable can be given."""
    shape = tuple(variable.shape)
    if short not in values:
        raise SpecError(
            f"model.weights: {file} has no '{short}', wanted shape {shape}"
        )
    array = values.pop(short)
    if array.shape != shape:
        raise SpecError(
            f"model.weights: '{short}' of {file}: wanted shape {shape}, got "
            f"{array.shape}"
        )
    value = array.astype(np.float32) if array.dtype.kind == "V" else array
    if value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        raise SpecError(
            f"model.weights: '{short}' of {file}: wanted finite numbers"
        )
    return value.astype(str(variable.dtype))
