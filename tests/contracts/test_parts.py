"""Every model, data set, loss, evaluator and report keeps its contract.

Parts are found by their file: a new one is tested without being named here.
"""

import dataclasses
import inspect
import typing

import keras
import numpy as np
import pytest

from ls_tf.measuring import measure
from ls_tf.pipeline import contract, corpus, loading, own, shards
from ls_tf.pipeline.contract import DataError, DatasetInfo, RecordInfo
from ls_tf.pipeline.text_pairs import TextInfo
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

DOCUMENTED = [
    (package, name)
    for package in (
        "ls_tf.models",
        "ls_tf.data",
        "ls_tf.losses",
        "ls_tf.objective",
        "ls_tf.decoding",
        "ls_tf.evaluators",
        "ls_tf.tasks",
        "ls_tf.reports",
        "ls_tf.analysis",
    )
    for name in registry.names(package)
]


@pytest.mark.parametrize(("package", "name"), DOCUMENTED)
def test_every_public_thing_is_documented(package, name):
    module = registry.get(package, name)
    assert module.__doc__
    for key, thing in vars(module).items():
        if key.startswith("_") or getattr(thing, "__module__", "") != (
            module.__name__
        ):
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert inspect.getdoc(thing), f"{module.__name__}.{key}"


@pytest.mark.parametrize(
    ("package", "name"),
    [
        d
        for d in DOCUMENTED
        if d[0].removeprefix("ls_tf.")
        in ("losses", "objective", "analysis", "decoding")
    ],
)
def test_every_formula_has_a_source(package, name):
    module = registry.get(package, name)
    for key, thing in vars(module).items():
        if (
            inspect.isfunction(thing)
            and not key.startswith("_")
            and thing.__module__ == module.__name__
            and "Returns:" in (thing.__doc__ or "")
        ):
            text = f"{thing.__doc__}{module.__doc__}"
            assert "Source:" in text, f"{module.__name__}.{key}"


def references():
    for name in registry.names("ls_tf.models"):
        module = registry.get("ls_tf.models", name)
        for i, reference in enumerate(module.REFERENCE):
            # Three times drawn; one by one, TensorFlow compiles convolutions
            # in groups.
            is_large = reference.parameters > 26e6
            is_large = is_large or "groups" in reference.options
            marks = [pytest.mark.slow] if is_large else []
            yield (
                pytest.param(name, i, id=f"{name}-{i}", marks=marks),
                reference,
            )


def examples(reference, count):
    """Random inputs of a model, labels for its logits, and their number."""
    options = reference.options
    rng = np.random.default_rng(0)
    if "vocabulary_size" in options:
        num_classes = options["vocabulary_size"]
        tokens = {
            side: rng.integers(2, num_classes, (count, length), np.int32)
            for side, length in (("source", 6), ("target", 5))
        }
        return tokens, tokens["target"], num_classes
    num_classes = options["num_classes"]
    images = rng.random((count, *options["image_shape"]), np.float32)
    return images, np.arange(count) % num_classes, num_classes


def last_layer(model):
    """What the penultimate activations are multiplied with, and the bias."""
    if hasattr(model, "output_matrix"):
        return keras.ops.convert_to_numpy(model.output_matrix()).T, 0.0
    layer = model.get_layer("logits")
    return layer.kernel.numpy(), layer.bias.numpy()


@pytest.mark.parametrize(("name", "i"), [param for param, _ in references()])
def test_a_model_is_its_reference(name, i, tmp_path):
    module = registry.get("ls_tf.models", name)
    reference = module.REFERENCE[i]
    assert reference.source
    model = module.build(**reference.options, seed=0)
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trainable == reference.parameters
    inputs, labels, num_classes = examples(reference, 3)
    outputs = model(inputs, training=False)
    logits = np.asarray(outputs["logits"])
    assert logits.shape == (*labels.shape, num_classes)
    assert logits.dtype == np.float32
    # The last layer multiplies the penultimate activations.
    kernel, bias = last_layer(model)
    np.testing.assert_allclose(
        logits,
        np.asarray(outputs["penultimate"]) @ kernel + bias,
        rtol=1e-4,
        # Fresh deep networks have logits in the thousands.
        atol=1e-5 * max(1, np.abs(logits).max()),
    )
    # The same seed, the same weights; another one, others.
    again = module.build(**reference.options, seed=0)
    other = module.build(**reference.options, seed=1)
    first = model.trainable_variables[0].numpy()
    np.testing.assert_array_equal(first, again.trainable_variables[0].numpy())
    assert not np.array_equal(first, other.trainable_variables[0].numpy())
    # Weights shared as a Keras file give the same answers.
    model.save_weights(tmp_path / "shared.weights.h5")
    other.load_weights(tmp_path / "shared.weights.h5")
    np.testing.assert_array_equal(
        logits, np.asarray(other(inputs, training=False)["logits"])
    )


@pytest.mark.parametrize(
    "name",
    [
        # Tracing its 149 convolutions takes a while.
        pytest.param(n, marks=[pytest.mark.slow] * (n == "inception_v4"))
        for n in registry.names("ls_tf.models")
    ],
)
def test_two_steps_train_a_small_model(name):
    module = registry.get("ls_tf.models", name)
    model = module.build(**module.REFERENCE[0].options, seed=0)
    inputs, labels, _ = examples(module.REFERENCE[0], 8)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.SGD(0.01),
        loss={"logits": loss, "penultimate": None},
        # Without, JAX runs operation by operation.
        jit_compile=keras.backend.backend() == "jax",
    )
    losses = [model.train_on_batch(inputs, {"logits": labels}) for _ in "ab"]
    assert losses[1] < losses[0]


def data_sets(kind):
    return [
        name
        for name in registry.names("ls_tf.data")
        if isinstance(registry.get("ls_tf.data", name).INFO, kind)
    ]


def is_own(name):
    """Whether a set is read from the user's own data."""
    return hasattr(registry.get("ls_tf.data", name), "opened")


OWN = [name for name in registry.names("ls_tf.data") if is_own(name)]
IMAGES = [name for name in data_sets(DatasetInfo) if name not in OWN]
TEXTS = data_sets(TextInfo)
PHOTOGRAPHS = data_sets(RecordInfo)  # some of the images


def test_a_data_set_is_of_images_or_of_texts():
    assert sorted(IMAGES + OWN + TEXTS) == registry.names("ls_tf.data")


@pytest.mark.parametrize("name", OWN)
def test_images_of_the_user_s_own_are_read_from_a_source(name):
    module = registry.get("ls_tf.data", name)
    assert not module.INFO.sizes and not module.INFO.num_classes
    parameters = inspect.signature(module.opened).parameters
    assert list(parameters) == ["source", "how"]
    # Seen without an import: fields of other sets are refused.
    assert registry.takes("ls_tf.data", name, "opened")
    data = dataclasses.replace(resolve("fc_mnist").spec.data, name=name)
    with pytest.raises(ValueError, match=f"'{name}' wants .*, got nothing"):
        own.of(data, None)


@pytest.mark.parametrize("name", IMAGES + OWN + TEXTS)
def test_a_data_set_states_its_contract(name):
    info = registry.get("ls_tf.data", name).INFO
    assert info.name == name
    assert info.licence and info.source
    assert all(size > 0 for size in info.sizes.values())


@pytest.mark.parametrize("name", IMAGES)
def test_images_have_classes(name):
    info = registry.get("ls_tf.data", name).INFO
    assert "train" in info.sizes
    assert {"test", "validation"} & set(info.sizes)
    assert len(info.class_names) == info.num_classes
    assert len(set(info.class_names)) == info.num_classes


@pytest.mark.parametrize("name", IMAGES + TEXTS)
def test_a_data_set_comes_from_tfds_or_its_own_function(name):
    module = registry.get("ls_tf.data", name)
    options = {
        "load": ["data_dir"],
        "load_pairs": ["data_dir", "source"],
        "prepare": ["data_dir"],
    }
    function = "load" if name in IMAGES else "load_pairs"
    function = "prepare" if name in PHOTOGRAPHS else function
    if not hasattr(module, function):
        assert module.INFO.tfds
        return
    parameters = inspect.signature(getattr(module, function)).parameters
    split = [] if function == "prepare" else ["split"]
    assert list(parameters) == [*split, *options[function]]
    for option in options[function]:
        assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY
    if function == "load_pairs":
        assert parameters["source"].default == ""


@pytest.mark.parametrize("name", IMAGES)
def test_images_refuse_a_split_that_is_not_there(name, tmp_path):
    find = shards.find if name in PHOTOGRAPHS else loading.load
    with pytest.raises(ValueError, match="no split 'nosuch'"):
        find(registry.get("ls_tf.data", name), "nosuch", data_dir=tmp_path)


@pytest.mark.parametrize("name", TEXTS)
def test_texts_have_two_languages_and_come_as_pairs(name, tmp_path):
    module = registry.get("ls_tf.data", name)
    info = module.INFO
    # Without sizes, the user's files decide.
    assert "train" in info.sizes or not info.sizes
    assert info.source_language != info.target_language
    if info.sizes:
        with pytest.raises(ValueError, match="no split 'nosuch'"):
            corpus.load_pairs(module, "nosuch", data_dir=tmp_path)
    else:
        with pytest.raises(DataError, match=f"^{name}: wanted data.source"):
            corpus.load_pairs(module, "train", data_dir=tmp_path)


@pytest.mark.parametrize("name", registry.names("ls_tf.evaluators"))
def test_an_evaluator_takes_a_role_and_a_trained_network(name):
    evaluator = registry.get("ls_tf.evaluators", name).Evaluator
    built = evaluator("report")  # every other option has a default
    with pytest.raises(dataclasses.FrozenInstanceError):
        built.role = "train"
    fields = [field.name for field in dataclasses.fields(evaluator)]
    assert fields[0] == "role"
    text = inspect.getdoc(evaluator)
    assert "Source:" in text
    assert [f for f in fields if f"\n    {f}: " not in text] == []
    # What is checked without an import is what the class takes.
    read = registry.arguments("ls_tf.evaluators", name, "Evaluator")
    assert list(read) == fields
    assert [option for option in read if not read[option][1]] == ["role"]
    for function in ("__call__", "check"):
        if hasattr(evaluator, function):
            hints = typing.get_type_hints(getattr(evaluator, function))
            assert hints["network"] in measure.KINDS


@pytest.mark.parametrize("name", registry.names("ls_tf.reports"))
def test_a_report_says_what_it_requires(name):
    module = registry.get("ls_tf.reports", name)
    assert isinstance(module.REQUIRES, tuple)
    assert module.TITLE
    assert callable(module.build)
    for need in module.REQUIRES:
        registry.check("ls_tf.experiments", need.experiment)


@pytest.mark.parametrize("smoke", [False, True], ids=["whole", "smoke"])
@pytest.mark.parametrize("name", registry.names("ls_tf.experiments"))
def test_the_splits_of_an_experiment_exist(name, smoke):
    data = resolve(name, smoke=smoke).spec.data
    info = registry.get("ls_tf.data", data.name, "data set").INFO
    sizes = info.sizes
    if not sizes:  # the user's own files
        return
    for split in (data.train, data.calibrate, data.report):
        _, start, stop = contract.parse_split(split, sizes)
        assert 0 <= start < stop
