"""No variable of a library changes a run's numbers, and none is lost unsaid."""

import os
import sys

import keras
import pytest

from ls_tf.running import session, surroundings
from ls_tf.spec import SpecError


@pytest.fixture
def nothing_loaded(monkeypatch):
    for name in ("tensorflow", "jax", "jaxlib", "keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(
    "name",
    [
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_SET_ONEDNN_FPMATH_MODE",
        "NVIDIA_TF32_OVERRIDE",
        "TF_DETERMINISTIC_OPS",
        "TF_CUDNN_USE_AUTOTUNE",
        "TF_XLA_FLAGS",
        "TF_FP16_CONV_USE_FP32_COMPUTE",
        "TF_OF_A_LATER_RELEASE",
        "JAX_ENABLE_X64",
        "JAX_DEFAULT_MATMUL_PRECISION",
        "JAX_DEBUG_NANS",
        "JAX_DEBUG_INFS",
        "JAX_DISABLE_JIT",
        "JAX_DEFAULT_PRNG_IMPL",
        "JAX_THREEFRY_PARTITIONABLE",
        "JAX_NUMPY_DTYPE_PROMOTION",
        "JAX_NUMPY_RANK_PROMOTION",
        "JAX_RANDOM_SEED_OFFSET",
        "JAX_OF_A_LATER_RELEASE",
        "KERAS_MAX_EPOCHS",
        "ONEDNN_MAX_CPU_ISA",
        "CUBLAS_WORKSPACE_CONFIG",
    ],
)
def test_what_changes_numbers_is_taken_away(name, nothing_loaded):
    environment = {name: "1", "PATH": "/bin"}
    (line,) = surroundings.settle(environment)
    assert line.startswith(f"{name}=1 is ignored: ")
    assert environment == {"PATH": "/bin"}
    assert surroundings.settle(environment) == []


def test_what_changes_no_number_is_left_alone(nothing_loaded):
    left = {
        name: "1"
        for name in (
            "TF_CPP_MIN_LOG_LEVEL",
            "TF_CONFIG",
            "TF_FORCE_GPU_ALLOW_GROWTH",
            "TF_GPU_ALLOCATOR",
            "TF_NUM_INTRAOP_THREADS",
            "TF_CLI_CONFIG_FILE",
            "TF_VAR_region",
            "TFDS_DATA_DIR",
            "CUDNN_VERSION",
            "CUDA_VISIBLE_DEVICES",
            "JAX_PLATFORMS",
            "JAX_LOG_COMPILES",
            "JAX_COMPILATION_CACHE_DIR",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
            "XLA_PYTHON_CLIENT_PREALLOCATE",
            "KERAS_HOME",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
        )
    }
    environment = dict(left)
    assert surroundings.settle(environment) == []
    assert environment == left


@pytest.mark.parametrize(
    "flags, kept, ignored",
    [
        (
            "--xla_dump_to=/a --xla_cpu_enable_fast_math=true",
            "--xla_dump_to=/a",
            "--xla_cpu_enable_fast_math=true",
        ),
        ("--xla_force_host_platform_device_count=2", None, ""),
        ("/a/file/of/flags", "", "/a/file/of/flags"),
        ("--xla_dump_to='", "", "--xla_dump_to='"),
        # XLA would end the process at these.
        (
            "--xla_force_host_platform_device_count=abc",
            "",
            "--xla_force_host_platform_device_count=abc",
        ),
        ("--xla_dump_foo=1", "", "--xla_dump_foo=1"),
        ("", None, ""),
    ],
)
def test_flags_of_xla_are_parted(flags, kept, ignored, nothing_loaded):
    environment = {"XLA_FLAGS": flags}
    lines = surroundings.settle(environment)
    if kept is None:
        assert lines == []
        assert environment == {"XLA_FLAGS": flags}
    else:
        (line,) = lines
        assert line.startswith(f"XLA_FLAGS={ignored} is ignored: ")
        assert environment == ({"XLA_FLAGS": kept} if kept else {})


def test_what_a_loaded_library_may_have_read_is_refused():
    assert "tensorflow" in sys.modules
    environment = {"TF_ENABLE_ONEDNN_OPTS": "0" * 99}
    with pytest.raises(SpecError) as error:
        surroundings.settle(environment)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"TF_ENABLE_ONEDNN_OPTS={'0' * 57}...: it chooses")
    assert "tensorflow was loaded with it; wanted it unset" in line
    assert environment == {"TF_ENABLE_ONEDNN_OPTS": "0" * 99}


def test_what_is_the_owners_choice_is_recorded(monkeypatch):
    for name in os.environ:
        if name.endswith("_THREADS"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    assert surroundings.recorded() == {
        "cpus": len(os.sched_getaffinity(0)),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2",
        "TF_NUM_INTRAOP_THREADS": "3",
    }


def test_keras_begins_with_its_own_defaults(monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "/a/home")
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(0.5)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_float16")
    session.start_keras(keras.backend.backend())
    assert keras.config.floatx() == "float32"
    assert keras.config.epsilon() == 1e-7
    assert keras.config.image_data_format() == "channels_last"
    assert keras.config.dtype_policy().name == "float32"
    assert os.environ["KERAS_HOME"] == "/a/home"


def test_a_gpu_is_shared_unless_the_user_says_otherwise():
    environment = {"TF_FORCE_GPU_ALLOW_GROWTH": "false"}
    surroundings.share_devices(environment)
    assert environment == {
        "TF_FORCE_GPU_ALLOW_GROWTH": "false",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    surroundings.share_devices(mine := {"XLA_PYTHON_CLIENT_PREALLOCATE": "1"})
    assert mine["XLA_PYTHON_CLIENT_PREALLOCATE"] == "1"
    assert surroundings.settle(mine) == []  # neither is taken away
