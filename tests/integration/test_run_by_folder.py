"""A run that was moved is measured again by its folder alone."""

import json
import os

import programs
import pytest
from command_line import Line

pytestmark = pytest.mark.slow


def test_a_moved_run_is_measured_and_shown_by_its_folder(tmp_path):
    line = Line(tmp_path)
    flags = ("--experiment=fc_digits", "--smoke", "--set=train.steps=2")
    line(*flags)
    moved = tmp_path / "elsewhere/mine"
    moved.parent.mkdir()
    line.folder_of(*flags).rename(moved)
    file = moved / "measurements/classification_report.json"
    before = json.loads(file.read_text())["scalars"]
    file.unlink()

    def run(mode):
        return programs.run(
            programs.ROOT / "run_experiment.py",
            *(f"--run={moved}", f"--mode={mode}"),
            engine="tensorflow",
            env=os.environ,
            cwd=tmp_path,
        )

    assert run("eval").stdout == f"{moved}\n"
    assert json.loads(file.read_text())["scalars"] == before
    assert run("show").stdout.startswith(
        f"{moved}: accuracy {100 * before['accuracy']:.2f} %, NLL "
    )
    assert [p.name for p in moved.parent.iterdir()] == ["mine"]
    command = json.loads((moved / "run.json").read_text())["history"][-1]
    assert command["command"] == ["run_experiment.py", "--mode=eval"]
