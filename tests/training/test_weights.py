"""Weights of others: read, named, matched with a network, or refused."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import numpy as safetensors

from ls_tf.experiments import fc_digits
from ls_tf.models import fully_connected
from ls_tf.spec import ExperimentSpec, Part, SpecError, override
from ls_tf.training import weights
from ls_tf.training.checkpoints import CheckpointError
from ls_tf.training.naming import named

SHAPES = {
    "hidden_1/kernel": (4, 3),
    "hidden_1/bias": (3,),
    "logits/kernel": (3, 5),
    "logits/bias": (5,),
}


@pytest.fixture(scope="module")
def model():
    return fully_connected.build(
        num_classes=5,
        image_shape=(2, 2, 1),
        hidden=(3,),
        dropout_rate=0.5,  # a seed generator stands among the variables
        input_dropout_rate=0.0,
        init_std=0.1,
        init_is_variance=False,
        seed=0,
    )


def values(**changes):
    draw = np.random.default_rng(0)
    drawn = {
        k: draw.standard_normal(v).astype("float32") for k, v in SHAPES.items()
    }
    drawn |= {k.replace("__", "/"): v for k, v in changes.items()}
    return {k: v for k, v in drawn.items() if v is not None}


def written(folder, arrays, end=".npz"):
    """A file of arrays, as a model's part names it."""
    file = folder / f"w{end}"
    if end == ".npz":
        np.savez(file, **arrays)
    else:
        safetensors.save_file(arrays, file)
    return Part("fully_connected", {}, str(file))


def refusal(part, model, kind=SpecError):
    with pytest.raises(kind) as caught:
        weights.of_beginning(part, model)
    text = str(caught.value)
    assert "\n" not in text
    assert part.weights in text
    return text


def by_last_words(start):
    return {k.split("/", 2)[2]: v for k, v in start.arrays.items()}


@pytest.mark.parametrize("end", [".npz", ".safetensors"])
def test_a_file_of_last_words_is_what_the_network_gets(tmp_path, model, end):
    given = values()
    part = written(tmp_path, given, end)
    start = weights.of_beginning(part, model)
    found = by_last_words(start)
    assert found.keys() == given.keys()
    for name, value in given.items():
        np.testing.assert_array_equal(found[name], value)
    assert set(start.arrays) < set(named("model", model.variables))
    data = (tmp_path / f"w{end}").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    assert start.facts() == {
        "weights": {"file": part.weights, "sha256": sha256}
    }
    assert start.line() == f"{part.weights}, SHA-256 {sha256[:12]}"
    # Processes that begin together compare it.
    assert start.about() == {"weights": sha256[:12]}


def test_a_checkpoint_will_do_and_noise_is_not_taken(tmp_path, model):
    names = named("model", model.variables)
    assert any("seed_generator" in name for name in names)
    arrays = {
        k: np.full(v.shape, i, np.asarray(v).dtype)
        for i, (k, v) in enumerate(names.items())
    }
    arrays["optimizer/0000/iteration"] = np.array(7)
    arrays["pending/loss"] = np.zeros(3, np.float32)
    part = written(tmp_path, arrays, ".safetensors")
    start = weights.of_beginning(part, model)
    assert len(start.arrays) == 4
    for name, value in start.arrays.items():
        np.testing.assert_array_equal(value, arrays[name])


def test_a_classifier_of_other_classes_is_drawn(tmp_path, model):
    kernel, bias = np.zeros((3, 9), np.float32), np.zeros(9, np.float32)
    given = values(logits__kernel=kernel, logits__bias=bias)
    start = weights.of_beginning(written(tmp_path, given), model)
    assert set(by_last_words(start)) == {"hidden_1/kernel", "hidden_1/bias"}
    assert start.line().endswith(
        "; layer logits is drawn, the file's has 9 classes and not 5"
    )


def test_a_file_without_a_classifier_leaves_it_drawn(tmp_path, model):
    given = values(logits__kernel=None, logits__bias=None)
    start = weights.of_beginning(written(tmp_path, given), model)
    assert set(by_last_words(start)) == {"hidden_1/kernel", "hidden_1/bias"}
    assert start.line().endswith("; layer logits is drawn, the file has none")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hidden_1__bias": None}, "no 'hidden_1/bias', wanted shape (3,)"),
        (
            {"hidden_1__kernel": np.zeros((3, 4))},
            "wanted shape (4, 3), got (3, 4)",
        ),
        # As many classes, and not as many inputs.
        (
            {"logits__kernel": np.zeros((4, 5))},
            "wanted shape (3, 5), got (4, 5)",
        ),
        ({"logits__bias": None}, "no 'logits/bias'"),
        ({"logits__kernel": None}, "no 'logits/kernel'"),
        ({"hidden_2__bias": np.zeros(3)}, "has 'hidden_2/bias', which the"),
        (
            {"model__0000__hidden_1__bias": np.zeros(3)},
            "has 'hidden_1/bias' twice",
        ),
        ({"hidden_1__bias": np.full(3, np.nan)}, "wanted finite numbers"),
        ({"hidden_1__bias": np.array(["a", "b", "c"])}, "finite numbers"),
    ],
)
def test_anything_else_is_refused(tmp_path, model, changes, says):
    assert says in refusal(written(tmp_path, values(**changes)), model)


@pytest.mark.parametrize("end", [".npz", ".safetensors", ".h5"])
@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind"])
def test_a_file_that_is_missing_or_damaged_is_refused(
    tmp_path, model, end, content
):
    file = tmp_path / f"w{end}"
    if content is not None:
        file.write_bytes(content)
    part = Part("fully_connected", {}, str(file))
    text = refusal(part, model, CheckpointError)
    assert ("cannot be read" in text) == (content is None)


def test_objects_are_not_unpickled(tmp_path, model):
    part = written(tmp_path, values(hidden_1__bias=np.array([{}, {}, {}])))
    refusal(part, model, CheckpointError)


def test_places_tell_apart_what_has_the_same_last_words(tmp_path):
    variables = [
        SimpleNamespace(
            path=f"{layer}/query/kernel", shape=(2,), dtype="float32"
        )
        for layer in ("layer_1", "layer_2")
    ]
    model = SimpleNamespace(variables=variables)
    arrays = {
        f"model/000{i}/query/kernel": np.full(2, i, np.float32) for i in (0, 1)
    }
    start = weights.of_beginning(written(tmp_path, arrays), model)
    for name, value in arrays.items():
        np.testing.assert_array_equal(start.arrays[name], value)
    part = written(tmp_path, {"query/kernel": np.zeros(2)})
    assert "no '0000/query/kernel'" in refusal(part, model)


def test_a_run_that_goes_on_needs_no_file(tmp_path):
    part = written(tmp_path, values())
    begun = weights.of_going_on(part)
    assert begun.arrays == begun.about() == {}
    assert begun.facts()["weights"]["sha256"] == (
        hashlib.sha256((tmp_path / "w.npz").read_bytes()).hexdigest()
    )
    (tmp_path / "w.npz").unlink()
    assert weights.of_going_on(part).facts() == {}


def test_the_specification_names_the_file():
    spec: ExperimentSpec = override(
        fc_digits.SPEC, {"model.weights": "a/b.npz"}
    )
    assert spec.model.weights == "a/b.npz"
    with pytest.raises(SpecError, match=r"named \.npz, .*, got 'a/b.pkl'"):
        override(fc_digits.SPEC, {"model.weights": "a/b.pkl"})
    with pytest.raises(SpecError, match="optimizer.weights: wanted nothing"):
        override(fc_digits.SPEC, {"optimizer.weights": "b.npz"})
