"""A program that was traced is found again, and never another one."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from etils import epath

from ls_tf import kernels
from ls_tf.training import jax_programs, jax_traced
from ls_tf.training.jax_traced import Traced

ARGUMENTS = ({"a": jnp.float32([1.5, 2.5])}, np.int32(3))
OPTIONS = {"donate_argnums": 0}
traces = []


def step(numbers, count):
    traces.append(numbers)
    return {"sum": jnp.sin(numbers["a"]) * count}


def other(numbers, count):
    return {"sum": jnp.cos(numbers["a"]) * count}


@pytest.fixture(autouse=True)
def _untraced():
    traces.clear()


def kept(folder, about="a run"):
    said = {"about": about} if about else None
    return Traced(epath.Path(folder), lambda: said)


def computed(traced, function=step):
    jax.clear_caches()
    numbers = {"a": jnp.array(ARGUMENTS[0]["a"])}  # donated
    program = jax_programs.begin(
        function, numbers, ARGUMENTS[1], traced=traced, donate_argnums=0
    ).program()
    return np.asarray(program(numbers, ARGUMENTS[1])["sum"])


def test_it_is_traced_once_and_computes_the_same(tmp_path):
    wanted = computed(None)
    # Two runs have one text, under two names.
    times = []
    for about in ("a run", "a run", "another", "another", "a run"):
        found = computed(kept(tmp_path, about))
        np.testing.assert_array_equal(found, wanted)
        times.append(len(traces))
    assert times == [2, 2, 3, 3, 3]
    assert len(list(tmp_path.glob("*.name"))) == 2
    assert len(list(tmp_path.glob("*.stablehlo"))) == 1


def test_without_flatbuffers_all_is_traced(tmp_path, monkeypatch):
    kept_before = computed(kept(tmp_path))
    monkeypatch.setattr(jax_traced, "_CAN_WRITE", False)
    assert kept(tmp_path).traced(step, ARGUMENTS, OPTIONS) is step
    np.testing.assert_array_equal(computed(kept(tmp_path)), kept_before)


def test_a_function_keeps_its_name(tmp_path):
    for _ in range(2):
        function = kept(tmp_path).traced(step, ARGUMENTS, OPTIONS)
        assert function.__name__ == "step"


def name(function=step, arguments=ARGUMENTS, options=OPTIONS, about="a run"):
    return kept("none", about).name(function, arguments, options)


def test_whatever_shapes_a_program_gives_it_another_name(monkeypatch):
    # Layers have forms on JAX alone.
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    numbers, count = ARGUMENTS
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("devices",))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    names = {
        "as it is": name(),
        "run": name(about="another run"),
        "function": name(other),
        "options": name(options={}),
        "shape": name(arguments=({"a": jnp.ones(3)}, count)),
        "rank": name(arguments=({"a": jnp.ones((2, 1))}, count)),
        "type": name(arguments=({"a": jnp.int32([1, 2])}, count)),
        "half": name(arguments=({"a": jnp.bfloat16([1, 2])}, count)),
        "weak": name(arguments=(numbers, 3)),
        "words": name(arguments=({"b": numbers["a"]}, count)),
        "order": name(arguments=([numbers["a"]], count)),
        "place": name(arguments=(jax.device_put(numbers, whole), np.int32(3))),
    }
    with jax.default_matmul_precision("tensorfloat32"):
        names["precision"] = name()
    with jax.enable_x64(True):
        names["x64"] = name()
    with kernels.using("fused"):
        names["form"] = name()
    with kernels.dividing((mesh, "devices")):
        names["divided"] = name()
    for flag in ("XLA_FLAGS", "LIBTPU_INIT_ARGS"):
        with monkeypatch.context() as patch:
            patch.setenv(flag, "--another=1")
            names[flag] = name()
    with monkeypatch.context() as patch:
        patch.setattr(jax_traced, "_of_device", lambda device: "another")
        names["device"] = name()
    with monkeypatch.context() as patch:
        patch.setattr(keras.backend, "backend", lambda: "tensorflow")
        names["backend"] = name()
    with monkeypatch.context() as patch:
        patch.setattr(keras.config, "floatx", lambda: "float16")
        names["floatx"] = name()
    assert len(set(names.values())) == len(names)
    # Values, and where programs are kept, shape none.
    assert name(arguments=({"a": jnp.float32([7, 8])}, np.int32(1))) == name()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    assert name() == names["as it is"]


@pytest.mark.parametrize("end", ["name", "stablehlo"])
@pytest.mark.parametrize("damage", ["cut", "other", "gone", "no text"])
def test_what_is_damaged_is_traced_again(end, damage, tmp_path):
    wanted = computed(kept(tmp_path))
    (file,) = tmp_path.glob(f"*.{end}")
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[:-1])
    elif damage == "other":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "no text":
        file.write_bytes(b"\xff\xfe\x00")
    else:
        file.unlink()
    for _ in range(2):
        np.testing.assert_array_equal(computed(kept(tmp_path)), wanted)
    assert len(traces) == 2


def test_what_cannot_be_kept_is_traced_all_the_same(tmp_path):
    wanted = computed(None)
    # A run of which not all can be said.
    assert kept(tmp_path, None).traced(step, ARGUMENTS, OPTIONS) is step
    # A folder that cannot be made.
    (tmp_path / "file").touch()
    at = kept(tmp_path / "file" / "below")
    np.testing.assert_array_equal(computed(at), wanted)

    def asking(numbers, count):
        shape = jax.ShapeDtypeStruct((2,), np.float32)
        return jax.pure_callback(lambda a: np.asarray(a), shape, numbers["a"])

    assert kept(tmp_path).traced(asking, ARGUMENTS, {}) is asking
