"""``--mode=print`` refuses what a training would refuse."""

import json
import re

import pytest

from ls_tf import cli

DIGITS = "--experiment=fc_digits"
STUDENT = "--experiment=fc_digits_student"


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        code = cli.main(["x", *flags, "--mode=print"])
        out, err = capsys.readouterr()
        assert list(tmp_path.iterdir()) == []
        return code, out, err

    return run


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            [DIGITS, "--set=optimizer.options.momentum=-0.5"],
            "wanted momentum in ",
        ),
        (
            [
                DIGITS,
                "--set=schedule.name=piecewise_constant",
                "--set=schedule.options.boundaries=5,9",
                "--set=schedule.options.factors=0.1",
            ],
            "wanted one factor for each of one or more boundaries",
        ),
        ([DIGITS, "--set=model.options.hidden=0,4"], "hidden widths of 1 or"),
        ([DIGITS, "--set=data.train=trian"], "trian"),
        ([DIGITS, "--set=data.name=mnist", "--set=data.report=tset"], "tset"),
        (
            [DIGITS, "--set=evaluators.1.options.num_bins=0"],
            "wanted 1 or more, got 0",
        ),
        (
            [STUDENT, "--set=teacher.experiment=fc_emnist"],
            r"wanted 10 classes as the student's \(digits\), got 47",
        ),
    ],
    ids=lambda x: x[-1] if isinstance(x, list) else "",
)
def test_what_is_refused_without_data_is_refused_in_print(printed, flags, says):
    code, out, err = printed(*flags)
    assert (code, out) == (2, "")
    assert re.search(says, err.splitlines()[-1]), err


def test_data_of_ones_own_is_not_read(printed):
    code, out, err = printed(
        *(DIGITS, "--set=data.name=npz", "--set=data.source=not_yet.npz"),
        *("--set=data.calibrate=test", "--set=model.options.hidden=8"),
        *("--set=data.report=test", "--set=data.same_split_reason=tried"),
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["spec"]["data"]["source"] == "not_yet.npz"


def test_what_can_be_built_is_printed(printed):
    code, out, err = printed(
        DIGITS, "--set=optimizer.name=Adam", "--set=model.options.hidden=8"
    )
    assert code == 0 and json.loads(out)["spec"]["optimizer"]["options"] == {}
    assert len(err.splitlines()) == 1 and "dropped momentum" in err
