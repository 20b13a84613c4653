"""A user's own settings change neither a run nor what is measured of it."""

import json

import pytest
from command_line import Line, arrays, assert_equal_bits, refusal

pytestmark = pytest.mark.slow

FLAGS = ("--experiment=fc_digits", "--smoke")
# Each of them breaks a run or changes its weights if it is read.
SETTINGS = {
    "PYTHONWARNINGS": "error",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    "JAX_ENABLE_X64": "1",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_TRANSFER_GUARD": "disallow",
    "JAX_DISABLE_JIT": "1",
    "KERAS_MAX_EPOCHS": "none",
}


def measured(folder):
    return {
        file.name: json.loads(file.read_text())["scalars"]
        for file in (folder / "measurements").glob("*.json")
    }


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_settings_change_no_number(tmp_path, engine):
    flags = (*FLAGS, f"--engine={engine}")
    plain, other = Line(tmp_path / "plain"), Line(tmp_path / "other")
    home = tmp_path / "keras"
    home.mkdir()
    file = home / "keras.json"
    settings = {
        "floatx": "float16",
        "epsilon": 0.1,
        "image_data_format": "channels_first",
        "backend": "torch",
    }
    file.write_text(json.dumps(settings))
    plain(*flags)
    before = plain.folder_of(*flags)
    numbers = measured(before)

    done = other(*flags, fresh=True, KERAS_HOME=str(home), **SETTINGS)
    for name in SETTINGS.keys() - {"PYTHONWARNINGS"}:
        assert f"ls_tf: {name}={SETTINGS[name]} is ignored: " in done.stderr
    folder = other.folder_of(*flags)
    assert_equal_bits(arrays(folder), arrays(before))
    assert measured(folder) == numbers
    assert json.loads(file.read_text()) == settings

    if engine == "tensorflow":
        return
    file.write_text("[")  # a file that Keras cannot read
    plain(*flags, "--mode=eval", fresh=True, KERAS_HOME=str(home), **SETTINGS)
    assert measured(before) == numbers


def test_a_platform_without_a_device_is_one_line(line):
    done = line(
        *FLAGS, "--engine=jax", code=2, fresh=True, JAX_PLATFORMS="cuda"
    )
    assert refusal(done.stderr).startswith(
        "ls_tf: --engine=jax found no device (JAX_PLATFORMS=cuda): "
    )
    assert "Traceback" not in done.stderr
    assert not line.runs.exists()


def test_a_setting_that_jax_refuses_is_one_line(tmp_path):
    line = Line(tmp_path)
    done = line(
        *FLAGS, "--engine=jax", code=2, fresh=True, JAX_LOG_COMPILES="abc"
    )
    assert refusal(done.stderr) == (
        "ls_tf: --engine=jax cannot be loaded: ValueError: invalid truth value "
        "'abc' for environment 'JAX_LOG_COMPILES'"
    )
    assert not line.runs.exists()


def test_what_matplotlib_would_refuse_is_not_read(tmp_path):
    file = tmp_path / "matplotlibrc"
    file.write_bytes(b"lines.linewidth: \xff\n")
    settings = {"MPLBACKEND": "bogus", "MATPLOTLIBRC": str(file)}
    line = Line(tmp_path)
    line("--report=re_fig1_soft_labels", fresh=True, **settings)
    page = tmp_path / "reports" / "re_fig1_soft_labels" / "index.html"
    assert page.exists()
