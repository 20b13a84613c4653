"""What a session says of its devices; no engine is started."""

import subprocess
import sys
import types

import keras
import pytest

from ls_tf.running import session
from ls_tf.running.session import Machine, Session
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve

SPEC = resolve("fc_digits").spec
HALF = resolve("fc_digits", changed={"train.precision": "bfloat16"}).spec
NONE_FOUND = "--strategy=mirrored: no accelerator was found, one CPU trains"


def said(names, replicas=1, networks=1, spec=SPEC, **machine):
    made = Session.__new__(Session)
    made.machine = Machine(**machine)
    engine = types.SimpleNamespace(
        devices=lambda: names,
        num_replicas=replicas,
        networks=[None] * networks,
    )
    return made.lines(engine, spec)


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_run_says_what_it_is_trained_on(engine):
    assert said(["NVIDIA H100"], spec=HALF, engine=engine) == [
        f"{engine}, 1 x NVIDIA H100, bfloat16"
    ]
    mirrored = {"engine": engine, "strategy": "mirrored"}
    assert said(["NVIDIA H100"] * 4, 4, **mirrored) == [
        f"{engine}, 4 x NVIDIA H100, float32"
    ]


def test_of_several_devices_those_that_train_are_counted():
    # TensorFlow names all that it sees.
    assert said(["GPU"] * 4, 1) == ["tensorflow, 1 x GPU, float32"]
    # A stack has whole networks on each device of JAX, and one replica.
    assert said(["TPU v4"] * 4, 1, networks=8, engine="jax") == [
        "jax, 4 x TPU v4, float32, 8 networks"
    ]


@pytest.mark.parametrize(
    ("engine", "name", "extra"),
    [("tensorflow", "CPU", "[cuda]"), ("jax", "cpu", "[jax-cuda]")],
)
def test_mirrored_without_an_accelerator_says_so(engine, name, extra):
    mirrored = {"engine": engine, "strategy": "mirrored"}
    _, line = said([name], **mirrored)
    assert line.startswith(NONE_FOUND) and extra in line
    two = said([name] * 2, 2, **mirrored, logical_devices=2)
    assert two == [f"{engine}, 2 x {name}, float32"]
    assert len(said([name], engine=engine)) == 1
    assert len(said(["NVIDIA H100"], **mirrored)) == 1


def test_the_first_words_come_before_a_library_is_loaded(monkeypatch, capsys):
    order = []

    def load(engine, *, bare):
        assert not bare  # no process of the command line
        order.extend(capsys.readouterr().err.splitlines())
        raise SpecError(f"no {engine}")

    monkeypatch.setattr(session, "start_keras", load)
    with pytest.raises(SpecError, match="no tensorflow"):
        Session(Machine())
    assert order == ["ls_tf: loading tensorflow"]


def test_what_needs_no_library_is_refused_without_a_word(capsys):
    with pytest.raises(SpecError, match="no strategy 'two'"):
        Session(Machine(strategy="two"))
    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    with pytest.raises(SpecError, match="Keras runs on"):
        Session(Machine(engine=other))
    assert capsys.readouterr().err == ""


# What a process has loaded, without Keras's users and with them.
_LOADING = """
import gc, sys
from ls_tf.running import session
gc.freeze = lambda: print("frozen", gc.isenabled())
session.start_keras("jax", bare={bare})
splash = "jax.experimental.pallas.ops.tpu.splash_attention"
some = {{"matplotlib", "pandas", "sklearn", "h5py", "PIL", splash}}
print(*sorted(some & set(sys.modules)))
import h5py, matplotlib.pyplot, pandas, sklearn, PIL.Image
print(gc.isenabled(), pandas.DataFrame({{"a": [1]}}).shape)
from keras.src.backend.jax import nn
print(nn.splash_attention_mask.CausalMask((2, 2))[:2, :2].tolist())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bare", "loaded"),
    [
        (True, ["frozen False", ""]),
        (
            False,
            [
                "PIL h5py jax.experimental.pallas.ops.tpu.splash_attention "
                "matplotlib pandas sklearn"
            ],
        ),
    ],
)
def test_the_command_line_loads_keras_alone(bare, loaded):
    program = _LOADING.format(bare=bare)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    # Who needs the others finds them all the same.
    assert done.stdout.splitlines() == [
        *loaded,
        "True (1, 1)",
        "[[True, False], [True, True]]",
    ]


@pytest.mark.slow
def test_the_command_line_loads_tensorflow_too():
    program = (
        "import sys; from ls_tf.running import session; "
        "session.start_keras('tensorflow', bare=True); "
        "print(sys.modules['keras'].backend.backend(), 'pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["tensorflow", "False"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "seldom"
    folder.mkdir()
    (folder / "__init__.py").write_text("from seldom.part import value\n")
    (folder / "part.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("seldom", "seldom.part"):
        sys.modules.pop(name, None)


def _import():
    from seldom import part

    return part


@pytest.mark.usefixtures("package")
def test_what_is_put_off_is_loaded_when_it_is_asked_for():
    with session._put_off(["seldom", "seldom.part"]):
        part = _import()
    assert not {"seldom", "seldom.part"} & set(sys.modules)
    assert part.value == 7
    assert _import().value == 7 and _import() is not part
    with pytest.raises(AttributeError, match="other"):
        _ = part.other


@pytest.mark.usefixtures("package")
def test_what_is_put_off_is_there_at_once_where_it_is_asked_for_at_once():
    with session._put_off(["seldom", "seldom.part"]):
        assert _import().value == 7
        assert _import().__file__


@pytest.mark.usefixtures("package")
def test_what_is_loaded_is_not_put_off():
    loaded = _import()
    with session._put_off(["seldom", "seldom.part"]):
        assert _import() is loaded
