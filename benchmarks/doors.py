"""What a new user needs for each of the README's five doors, from nothing.

Each door gets an environment of its own, made and installed from the package
index with nothing cached, a copy of the tree without tests, an empty home, and
the commands that README names, one after the other. Counted are the seconds,
the commands (the two that make and enter the environment and the one that
installs are among them) and the words on the screen after the installation,
progress included. Nothing is downloaded but packages: data are the digits of
scikit-learn, numbers in words, and arrays that the user is taken to have.

Run: python benchmarks/doors.py --out=results/benchmarks
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _common

# Making the environment, entering it, installing.
_BEFORE = 3
_RUN = "python run_experiment.py"
# A user's own pictures: four kinds of stripes under noise, learned in seconds.
_PICTURES = """
import numpy as np
rng = np.random.default_rng(0)
labels = rng.integers(0, 4, 1500)
lines = np.arange(8)
tilted = lines[:, None] * (labels % 2)[:, None, None] + lines[None, :] * (
    1 - labels % 2
)[:, None, None]
striped = 120 * ((tilted // (1 + labels // 2)[:, None, None]) % 2)
images = np.clip(striped + rng.integers(0, 120, striped.shape), 0, 255)
images = images.astype(np.uint8)
np.savez("mine.npz", x_train=images[:900], y_train=labels[:900],
         x_test=images[900:], y_test=labels[900:])
"""
# A user's own logits: two networks of ten classes, the second less sure.
_LOGITS = """
import numpy as np
rng = np.random.default_rng(0)
labels = rng.integers(0, 10, 5000)
for name, sure in ("a", 9.0), ("b", 4.0):
    logits = rng.normal(size=(5000, 10))
    logits[np.arange(5000), labels] += rng.normal(3, 1.5, 5000)
    np.savez(f"{name}.npz", logits=logits * sure / 4, labels=labels)
"""


@dataclass(frozen=True)
class Door:
    """One door of the README."""

    title: str
    install: str
    commands: tuple[str, ...]
    has: str = ""  # A program that makes what the user is taken to have.


DOORS = {
    "papers": Door(
        "reproduce the papers",
        '-e ".[tensorflow]"',
        (
            f"{_RUN} --report=quick_tour --run_missing",
            f"{_RUN} --report=re_table4_mnist --runs_dir=results/runs",
        ),
    ),
    "logits": Door(
        "my own logits",
        "-e .",
        ("ls_tf analyze --hard=a.npz --smoothed=b.npz",),
        _LOGITS,
    ),
    "data": Door(
        "my own data and model",
        '-e ".[tensorflow]"',
        (
            f"{_RUN} --report=compare --experiment=fc_digits "
            "--set=data.name=npz --set=data.source=mine.npz "
            "--vary=alpha:0,.1 --vary=seed:0..2 --run_missing",
        ),
        _PICTURES,
    ),
    "translation": Door(
        "translate",
        '-e ".[tensorflow]"',
        (
            f"{_RUN} --flagfile=flags/transformer_numbers.flags",
            f'echo "three hundred twenty-three" | {_RUN} '
            "--run=runs/transformer_numbers/paper/seed=0 --mode=translate",
        ),
    ),
    "devices": Door(
        "GPUs, TPUs, clusters",
        '-e ".[tensorflow,jax]"',
        (
            f"{_RUN} --experiment=fc_digits --engine=jax --stack=alpha:0,.1",
            f"{_RUN} --experiment=fc_digits --mode=show",
        ),
    ),
}


def opened(door: Door, python: str) -> dict[str, Any]:
    """Goes through one door.

    Args:
        door: which.
        python: the interpreter of the environment.

    Returns:
        dict: "install_s", "commands_s" (a list), "first_result_s" (all up to
        the end of the first command), "commands" (how many were typed),
        "words" (on the screen, after the installation).

    Raises:
        SystemExit: a command failed; what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _common.copied(tree, without=("tests/",))
        home = Path(folder) / "home"
        home.mkdir()
        surroundings = {
            name: os.environ[name]
            for name in ("PATH", "LANG", "PIP_INDEX_URL", "PIP_CONFIG_FILE")
            if name in os.environ
        } | {"HOME": str(home), "PIP_NO_CACHE_DIR": "1"}

        def typed(line: str) -> tuple[float, str]:
            began = time.perf_counter()
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=tree,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode:
                sys.exit(f"doors.py: {line}: {done.stdout[-2000:]}")
            return time.perf_counter() - began, done.stdout

        enter = "source .venv/bin/activate &&"
        made, _ = typed(f"{python} -m venv .venv")
        installed, _ = typed(f"{enter} pip install {door.install}")
        if door.has:
            typed(f"{enter} python - <<'END'\n{door.has}\nEND")
        ran = [typed(f"{enter} {line}") for line in door.commands]
    seconds = [round(took, 1) for took, _ in ran]
    return {
        "install_s": round(made + installed, 1),
        "commands_s": seconds,
        "first_result_s": round(made + installed + seconds[0], 1),
        "commands": _BEFORE + len(door.commands),
        "words": sum(len(said.split()) for _, said in ran),
    }


def main() -> int:
    """Measures, prints and writes."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=1)
    parser.add_argument(
        "--doors", default=",".join(DOORS), help="which, with a comma between"
    )
    flags = parser.parse_args()
    python = shutil.which("python3") or sys.executable
    about = _common.machine()
    results = {}
    for name in DOORS:
        if name in flags.doors.split(","):
            _common.say(name)
            door = DOORS[name]
            results[name] = {"title": door.title, **opened(door, python)}
    _common.table(
        ("door", "install, s", "to the first result, s", "commands", "words"),
        [
            (
                DOORS[name].title,
                *(row["install_s"], row["first_result_s"]),
                *(row["commands"], row["words"]),
            )
            for name, row in results.items()
        ],
    )
    readme = (_common.ROOT / "README.md").read_text("utf-8")
    _common.finish(
        "doors",
        flags,
        about=about,
        settings={"readme_words": len(readme.split())},
        timings={},
        results=results,
        targets=[],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
