"""The accelerator's benchmark, rehearsed on a CPU without TensorFlow."""

import json
import os
import pathlib
import runpy
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "accelerator.py"
# Makes Python find no such packages, as where they are not installed.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = "tensorflow", "tensorflow_datasets", "grain", "torch"
        if name.partition(".")[0] in absent:
            return None
        return PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Without if f is PathFinder else f for f in sys.meta_path]
"""


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        return runpy.run_path(str(SCRIPT))
    finally:
        del sys.path[0]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--parts=rates,step"], "got 'step'"),
        (["--seconds=0"], "between 0 and 3600, got 0"),
        (["--limit=-1"], "between 0 and 3600, got -1"),
        (["--commit=HEAD"], "hexadecimal digits, got 'HEAD'"),
        (["--jobs=0"], "--jobs: wanted 1 or more, got 0"),
        (
            ["--device=cpu", f"--out={ROOT / 'results' / 'benchmarks'}"],
            "wanted no rehearsal in",
        ),
    ],
)
def test_bad_input_is_one_line(benchmark, capsys, words, line):
    with pytest.raises(SystemExit) as ended:
        benchmark["main"](words)
    assert ended.value.code == 2
    assert line in capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rehearsed")
    (folder / "sitecustomize.py").write_text(WITHOUT)
    words = ["--device=cpu", "--seconds=0.02", f"--out={folder}"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *words, "--parts=rates,stacks,gap,decoding"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((folder / "accelerator.json").read_text("utf-8"))
    assert record["skipped"] == {}
    return record, done.stdout


@pytest.mark.slow
def test_a_rehearsal_is_no_measurement(rehearsed):
    record, _ = rehearsed
    assert record["settings"]["rehearse"]
    assert record["targets"] == []
    assert record["versions"]["jax"]


@pytest.mark.slow
def test_stacks_are_counted_in_networks_and_steps(rehearsed):
    record, text = rehearsed
    rows = record["results"]["stacks"]
    alone = 1 / record["timings"]["fc_mnist, float32"]["median"]
    assert [row for row in rows if "networks" not in row] == [
        "fc_mnist, float32"
    ]
    for networks in (10, 30, 100):
        name = f"fc_mnist, float32, {networks} networks"
        rate = networks / record["timings"][name]["median"]
        assert rows[name]["networks_x_steps_per_second"] == pytest.approx(rate)
        assert rows[name]["times_one"] == pytest.approx(rate / alone)
        assert f"| {name} |" in text


@pytest.mark.slow
def test_products_of_a_step_are_those_of_the_layers(rehearsed):
    # 784-16-16-10, two examples; the first layer's inputs have no gradient.
    first, rest = 784 * 16, 16 * 16 + 16 * 10
    flop = 2 * 2 * (2 * first + 3 * rest)
    record, _ = rehearsed
    programs = record["results"]["programs"]
    assert programs["fc_mnist, float32"]["gflop"] == pytest.approx(flop * 1e-9)
    row = record["results"]["stacks"]["fc_mnist, float32"]
    rate = flop / record["timings"]["fc_mnist, float32"]["median"]
    assert row["tflop_per_second"] == pytest.approx(rate * 1e-12)
    product = record["timings"]["products, float32"]["median"]
    assert row["part_of_rate"] == pytest.approx(rate / (2 * 64**3 / product))


@pytest.mark.slow
def test_decoding_is_counted_in_subwords(rehearsed):
    record, _ = rehearsed
    row = record["results"]["decoding"]["beam search, bfloat16"]
    # Two sentences of four subwords.
    assert row["examples_per_second"] == pytest.approx(8e3 / row["ms"])
