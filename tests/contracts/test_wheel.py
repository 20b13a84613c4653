"""What is built has all files of the package, and runs where it is installed.

An environment that is empty but for some libraries is a virtual one with links
to those of the tests' own; no network is needed.
"""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import venv
import zipfile

import numpy as np
import pytest
from packaging.requirements import Requirement

import ls_tf

ROOT = pathlib.Path(__file__).parents[2]
# What the source archive has beside the package and the flagfiles.
FILES = (
    *("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"),
    *("CHANGELOG.md", "CITATION.cff", "run_experiment.py"),
    "requirements-lock.txt",
)
# Functions that want NumPy and SciPy alone, each with a value.
LIBRARY = """
import sys
import ls_tf
logits, labels = [[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 1]
ls_tf.calibration.ece(logits, labels)
ls_tf.calibration.interval(ls_tf.calibration.ece, logits, labels)
ls_tf.temperature.fit(logits, labels)
ls_tf.temperature.fit_vector(logits, labels)
weights = [[1.0, 0.0], [0.0, 1.0]]
ls_tf.geometry.collapse(logits, labels, weights, order="classes_first")
ls_tf.distillation.soft_targets(logits, temperature=2.0)
ls_tf.losses.numpy_loss("label_smoothing", logits, labels, alpha=0.1)
step = lambda ids, position, state: (-abs(ids[:, None] - [0, 1, 2]), state)
ls_tf.decoding.beam_search(step, max_lengths=[3], beams=2, alpha=0.6)
for use in (
    lambda: ls_tf.plot,
    lambda: ls_tf.losses.KerasLoss,
    lambda: ls_tf.temperature.fit_isotonic(logits, labels),
):
    try:
        use()
    except ImportError as error:
        print(error)
"""


def run(*words, cwd, env=None):
    unwanted = ("PYTHONPATH", "PYTHONHOME", "KERAS_BACKEND")
    kept = {k: v for k, v in os.environ.items() if k not in unwanted}
    return subprocess.run(
        words,
        cwd=cwd,
        env=kept | (env or {}),
        capture_output=True,
        text=True,
        timeout=240,
    )


def tracked(folder="ls_tf"):
    listed = run("git", "ls-files", folder, cwd=ROOT)
    if listed.returncode == 0:
        return {
            name for name in listed.stdout.split() if (ROOT / name).exists()
        }
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*.*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The source archive of a clone, and the wheel that is built of it."""
    clone = tmp_path_factory.mktemp("clone")
    folders = ("ls_tf", "flags", "tests", "scripts")
    names = set.union(*map(tracked, folders))
    for name in (*names, *FILES):
        copy = clone / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    done = run(sys.executable, "-m", "build", "--no-isolation", cwd=clone)
    assert done.returncode == 0, done.stderr
    (source,) = (clone / "dist").glob("*.tar.gz")
    (wheel,) = (clone / "dist").glob("*.whl")
    return source, wheel


def distributions(requirements):
    """What an installer would install of the tests' own libraries."""
    wanted = [Requirement(text) for text in requirements]
    names = {}
    while wanted:
        asked = wanted.pop()
        known = names.setdefault(asked.name.lower(), set())
        for extra in {"", *asked.extras} - known:
            known.add(extra)
            for text in importlib.metadata.requires(asked.name) or ():
                more = Requirement(text)
                if more.marker is None or more.marker.evaluate(
                    {"extra": extra}
                ):
                    wanted.append(more)
    return [importlib.metadata.distribution(name) for name in names]


def canonical(names):
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def environment(folder, wheel, installed):
    """A virtual environment with the wheel and with links to libraries."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for distribution in installed:
        for name in {f.parts[0] for f in distribution.files or ()} - {".."}:
            link = packages / name
            if not link.exists() and name != "__pycache__":
                link.symlink_to(distribution.locate_file(name))
    done = run(
        *(sys.executable, "-m", "pip", "--python", folder / "bin/python"),
        *("install", "--no-index", "--no-deps", "--no-compile"),
        *("--disable-pip-version-check", wheel),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def requirements(wheel, extra=""):
    """What the wheel says it needs with an extra."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        lines = archive.read(name).decode().splitlines()
    stated = [
        Requirement(line.partition(":")[2])
        for line in lines
        if line.startswith("Requires-Dist:")
    ]
    return [
        f"{r.name}[{','.join(r.extras)}]"
        for r in stated
        if r.marker is None or r.marker.evaluate({"extra": extra})
    ]


@pytest.fixture(scope="module")
def light(archives, tmp_path_factory):
    wheel = archives[1]
    installed = distributions(requirements(wheel))
    return environment(tmp_path_factory.mktemp("light"), wheel, installed)


@pytest.mark.slow
def test_the_archives_hold_every_file_of_the_package(archives):
    source, wheel = archives
    with zipfile.ZipFile(wheel) as archive:
        files = {n for n in archive.namelist() if ".dist-info/" not in n}
    assert files == tracked()
    assert {"ls_tf/pages/page.css", "ls_tf/reports/paper_numbers.csv"} < files
    with tarfile.open(source) as archive:
        held = {m.name.partition("/")[2] for m in archive if m.isfile()}
    held = {name for name in held if not name.startswith("ls_tf.egg-info/")}
    made = {"PKG-INFO", "setup.cfg"}
    assert held - made == tracked() | tracked("flags") | {*FILES}


@pytest.mark.slow
def test_the_lock_has_what_the_tests_need_and_no_more(archives):
    if sys.version_info[:2] != (3, 11) or sys.platform != "linux":
        pytest.skip("the lock is of Python 3.11 on Linux")
    lines = (ROOT / "requirements-lock.txt").read_text("utf-8").splitlines()
    locked = {line.partition("==")[0] for line in lines if line[0] != "#"}
    wanted = distributions(requirements(archives[1], "dev"))
    assert canonical(locked) == canonical(d.name for d in wanted)


@pytest.mark.slow
def test_the_library_needs_numpy_and_scipy_alone(archives, tmp_path):
    few = distributions(["numpy", "scipy"])
    programs = environment(tmp_path / "venv", archives[1], few)
    done = run(programs / "python", "-c", LIBRARY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plot, loss, isotonic = done.stdout.splitlines()
    assert plot.endswith("install it with: pip install ls_tf")
    assert loss.endswith('pip install "ls_tf[tensorflow]" or "ls_tf[jax]"')
    assert isotonic.endswith('install it with: pip install "ls_tf[sklearn]"')
    for words in (("python", "-m", "ls_tf"), ("ls_tf",)):
        program, *rest = words
        done = run(programs / program, *rest, "--list", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        (line,) = done.stderr.splitlines()
        start = "ls_tf: the command line wants the package absl, "
        assert line.startswith(start)


@pytest.mark.slow
def test_the_light_install_answers_and_gives_verdicts(light, tmp_path):
    said = run(light / "ls_tf", "--version", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (
        0,
        f"ls_tf {ls_tf.__version__}\n",
    ), said.stderr
    listed = run(light / "python", "-m", "ls_tf", "--list", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "fc_digits" in listed.stdout and "quick_tour" in listed.stdout
    missing = run(
        *(light / "ls_tf", "--experiment=fc_emnist", "--mode=show"),
        cwd=tmp_path,
        env={"PATH": f"{light}{os.pathsep}{os.environ['PATH']}"},
    )
    wanted = "make it with: ls_tf --experiment=fc_emnist\n"
    assert missing.stderr.endswith(wanted)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 200)
    logits = generator.normal(size=(200, 4)) + 2 * np.eye(4)[labels]
    np.savez(tmp_path / "a.npz", logits=logits, labels=labels)
    verdict = run(light / "ls_tf", "analyze", "--hard=a.npz", cwd=tmp_path)
    assert verdict.returncode == 0, verdict.stderr
    page = tmp_path / verdict.stdout.splitlines()[-1]
    assert page.read_text("utf-8").rstrip().endswith("</html>")
    report = run(
        *(light / "ls_tf", "--report=re_table2_table3"),
        f"--runs_dir={ROOT / 'results/runs'}",
        cwd=tmp_path,
    )
    assert report.returncode == 0, report.stderr
    assert (tmp_path / report.stdout.strip()).is_file()


@pytest.mark.slow
def test_the_light_install_names_the_extra_that_trains(light, tmp_path):
    for flags, extra in (
        (("--experiment=fc_digits",), '"ls_tf[tensorflow]"'),
        (("--experiment=fc_digits", "--engine=jax"), '"ls_tf[jax]"'),
        (("--report=quick_tour", "--run_missing"), '"ls_tf[tensorflow]"'),
        (("--experiment=fc_digits", "--mode=prepare"), '"ls_tf[sklearn]"'),
        (("--report=replication_audit",), '"ls_tf[text]"'),
    ):
        done = run(light / "ls_tf", *flags, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("ls_tf: ") and f"pip install {extra}" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_extra_of_jax_trains_without_tensorflow(archives, tmp_path):
    wheel = archives[1]
    installed = distributions(requirements(wheel, "jax"))
    names = {d.name.lower() for d in installed}
    assert "jax" in names and "tensorflow" not in names
    programs = environment(tmp_path / "venv", wheel, installed)
    done = run(
        *(programs / "ls_tf", "--experiment=fc_digits", "--smoke"),
        "--engine=jax",
        cwd=tmp_path,
        env={"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    run_json = tmp_path / done.stdout.strip() / "run.json"
    assert '"outcome": "finished"' in run_json.read_text("utf-8")
