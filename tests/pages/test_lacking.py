"""What is said where ``--run_missing`` has nothing to train."""

import pathlib
import types

import pytest

from ls_tf import cli
from ls_tf.pages import lacking
from ls_tf.pages.blocks import Need

RUNS = pathlib.Path(__file__).parents[2] / "results/runs"


def needs(*alphas, optional=()):
    """Runs of an experiment of whose records none has these alphas."""
    return types.SimpleNamespace(
        REQUIRES=tuple(
            Need("fc_digits", {"alpha": a}, optional=a in optional)
            for a in alphas
        )
    )


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (needs(), "it trains no run for r"),
        (needs(0.31), "the run that it trains for r is there"),
        (needs(0.31, 0.32), "the 2 runs that it trains for r are there"),
        (
            needs(0.31, 0.32, optional=[0.32]),
            "the run that it trains for r is there; 1 run that would add seeds "
            "or rows: not finished, the commands are on the page",
        ),
        (
            needs(0.31, 0.32, optional=[0.31, 0.32]),
            "it trains no run for r; 2 runs that would add seeds or rows: not "
            "finished, the commands are on the page",
        ),
    ],
)
def test_what_is_there_and_what_is_not_are_counted(tmp_path, module, says):
    said = lacking.sentence("r", module, str(tmp_path), smoke=False)
    assert said == f"--run_missing: {says}"


def test_one_run_of_two_rows_is_counted_once(tmp_path):
    module = types.SimpleNamespace(
        REQUIRES=tuple(
            Need("fc_digits", {"alpha": a}, optional=o, row=row)
            for a, o in ((0.31, True), (0.32, False))
            for row in ("one", "two")
        )
    )
    said = lacking.sentence("r", module, str(tmp_path), smoke=False)
    assert said.startswith(
        "--run_missing: the run that it trains for r is there; 1 run that"
    )


def test_a_record_is_not_counted_as_lacking():
    there = Need("fc_mnist", {"alpha": 0}, optional=True)
    module = needs(0.31, optional=[0.31])
    module.REQUIRES += (there,)
    said = lacking.sentence("r", module, str(RUNS), smoke=False)
    assert "for r; 1 run that would add seeds or rows" in said


def test_the_command_line_says_it_and_builds_the_page(tmp_path, capsys):
    code = cli.main(
        [
            *("x", "--report=re_fig3b_reliability_mnist", "--run_missing"),
            *(f"--runs_dir={RUNS}", f"--reports_dir={tmp_path}"),
        ]
    )
    out, err = capsys.readouterr()
    (said,) = (line for line in err.splitlines() if "--run_missing" in line)
    assert "trains for re_fig3b_reliability_mnist" in said
    assert code == 0 and out.rstrip().endswith("index.html")
