"""What an install without extras lacks is one line that names the extra."""

import pathlib
import re
import runpy
import sys

import pytest
import setuptools

import ls_tf
from ls_tf import extras

ROOT = pathlib.Path(__file__).parents[1]
# What is imported by another name than it is installed by.
INSTALLED_AS = {
    "absl": "absl-py",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
}


@pytest.fixture
def metadata(monkeypatch):
    """What setup.py says to setuptools."""
    said = {}
    monkeypatch.setattr(setuptools, "setup", lambda **words: said.update(words))
    runpy.run_path(str(ROOT / "setup.py"))
    return said


def names(requirements):
    return {re.split(r"[\[<>=]", r)[0].replace("_", "-") for r in requirements}


def test_the_extras_that_are_named_install_what_is_missing(metadata):
    for library, named in extras.EXTRAS.items():
        package = INSTALLED_AS.get(library, library).replace("_", "-")
        for extra in named:
            given = metadata["install_requires"]
            if extra:
                given = metadata["extras_require"][extra]
            assert package in names(given), (library, extra)


def test_the_light_install_has_no_framework(metadata):
    heavy = {name for name, named in extras.EXTRAS.items() if "" not in named}
    heavy = {INSTALLED_AS.get(name, name) for name in heavy}
    assert not names(metadata["install_requires"]) & heavy
    assert names(metadata["install_requires"]) >= {"numpy", "scipy"}
    for extra in ("jax", "jax-cuda", "jax-tpu"):
        tensorflow = {"tensorflow", "tensorflow-datasets"}
        assert not names(metadata["extras_require"][extra]) & tensorflow


def test_the_version_stands_in_one_place(metadata):
    assert metadata["version"] == ls_tf.__version__
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {ls_tf.__version__}\n" in citation


def test_only_a_library_that_is_not_there_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        import pandas.core  # noqa: F401
    assert extras.missing(caught.value) == "pandas"
    # A library that is there and broken is a defect with its traceback.
    broken = ModuleNotFoundError("x", name="numpy.no_such_part")
    assert extras.missing(broken) is None
    broken = ModuleNotFoundError("x", name="matplotlib.no_such_part")
    assert extras.missing(broken) is None
    assert extras.missing(ImportError("x", name="pandas")) is None


@pytest.mark.parametrize(
    ("library", "module", "use", "command"),
    [
        (
            "keras",
            "ls_tf.objective.keras_loss",
            lambda: ls_tf.losses.KerasLoss,
            "ls_tf.losses.KerasLoss wants the package keras, which is not "
            'installed; install it with: pip install "ls_tf[tensorflow]" or '
            '"ls_tf[jax]"',
        ),
        (
            "keras",
            "ls_tf.decoding.search",
            lambda: ls_tf.decoding.compiled_beam_search,
            'pip install "ls_tf[tensorflow]" or "ls_tf[jax]"',
        ),
        (
            "matplotlib",
            "ls_tf.plot",
            lambda: ls_tf.plot,
            "ls_tf.plot wants the package matplotlib, which is not installed; "
            "install it with: pip install ls_tf",
        ),
        (
            "sklearn",
            "sklearn.isotonic",
            lambda: ls_tf.temperature.fit_isotonic([[0.0, 1.0]], [1]),
            'pip install "ls_tf[sklearn]"',
        ),
    ],
)
def test_the_library_names_the_extra(
    monkeypatch, library, module, use, command
):
    parts = [m for m in sys.modules if m.startswith(f"{library}.")]
    for name in (*parts, module):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    # The package keeps what it has imported.
    monkeypatch.delitem(vars(ls_tf), "plot", raising=False)
    with pytest.raises(extras.MissingError) as caught:
        use()
    assert str(caught.value).endswith(command)
    assert "\n" not in str(caught.value)
