"""What each extra installs, in MB: environments made from nothing.

The wheel is built from this tree. Every extra is installed from the package
index into a virtual environment of its own, which is measured and deleted;
with ``--wheels`` from a folder, as ``pip download`` fills it.
What the environment held before, pip itself, is not counted. MB are 10^6
bytes of the files, compiled modules included.

Run: python benchmarks/installation.py --out=results/benchmarks
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import _common
from _common import Target

LIGHT = "light"
EXTRAS = (
    *(LIGHT, "sklearn", "pandas", "text", "photographs"),
    *("jax", "tensorflow"),
)
_LARGEST = 6  # packages that are named
_SIZES = """
import importlib.metadata, json
found = {}
for package in importlib.metadata.distributions():
    paths = {file.locate() for file in package.files or ()}
    found[package.name] = sum(p.stat().st_size for p in paths if p.is_file())
print(json.dumps(found))
"""


def _run(words: Iterable[Any]) -> str:
    """Runs a program; gives what it wrote.

    Raises:
        SystemExit: it failed; what it said.
    """
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"installation.py: {done.args[:4]}: {done.stderr[-2000:]}")
    return done.stdout


def _bytes(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )


def wheel(out: Path) -> Path:
    """Builds the wheel of this tree.

    Args:
        out: where to.
    """
    copy = out / "tree"
    _common.copied(copy, without=("results/", "tests/"))
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
    _run([*pip, "--wheel-dir", out, copy])
    return next(out.glob("*.whl"))


def measured(
    made: Path, extra: str, python: str, wheels: Path | None
) -> dict[str, Any]:
    """Installs an extra into an empty environment and measures it.

    Args:
        made: the wheel.
        extra: its name, or ``LIGHT``.
        python: the interpreter.
        wheels: where those that are needed lie; None for the package index.

    Returns:
        dict: "mb", "packages" (how many), "largest" (name -> MB).
    """
    with tempfile.TemporaryDirectory() as folder:
        _run([python, "-m", "venv", folder])
        packages = next(Path(folder).glob("lib/python*/site-packages"))
        own = _bytes(packages)
        program = Path(folder) / "bin" / "python"
        before = set(json.loads(_run([program, "-c", _SIZES])))
        asked = made if extra == LIGHT else f"{made}[{extra}]"
        place = ["--no-index", f"--find-links={wheels}"] if wheels else []
        pip = (program, "-m", "pip", "install", "--quiet", "--compile")
        _run([*pip, *place, asked])
        sizes = json.loads(_run([program, "-c", _SIZES]))
        new = sorted(
            (
                (size, name)
                for name, size in sizes.items()
                if name not in before
            ),
            reverse=True,
        )
        return {
            "mb": round((_bytes(packages) - own) / 1e6, 1),
            "packages": len(new),
            "largest": {n: round(size / 1e6, 1) for size, n in new[:_LARGEST]},
        }


def _flags() -> argparse.Namespace:
    parser = _common.arguments(__doc__.splitlines()[0], repeats=1)
    parser.add_argument(
        "--extras", default=",".join(EXTRAS), help="which, in which order"
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="the interpreter of the environments",
    )
    parser.add_argument(
        "--wheels", type=Path, help="a folder to install from, for the index"
    )
    return parser.parse_args()


def main() -> int:
    """Measures, prints and writes."""
    flags = _flags()
    about = _common.machine()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        made = wheel(Path(folder))
        results["wheel"] = {"mb": round(made.stat().st_size / 1e6, 2)}
        for extra in flags.extras.split(","):
            _common.say(extra)
            results[extra] = measured(made, extra, flags.python, flags.wheels)
    _common.table(
        ("extra", "MB", "packages"),
        [(k, r["mb"], r.get("packages", 1)) for k, r in results.items()],
    )
    version = _run(
        [flags.python, "-c", "import platform as p; print(p.python_version())"]
    )
    targets = []
    if LIGHT in results and "tensorflow" in results:
        part = results[LIGHT]["mb"] / results["tensorflow"]["mb"]
        targets = [
            Target("light install / [tensorflow], MB", 0.2, part, at_most=True)
        ]
    _common.finish(
        "installation",
        flags,
        about=about,
        settings={"extras": flags.extras, "python": version.strip()},
        timings={},
        results=results,
        targets=targets,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
