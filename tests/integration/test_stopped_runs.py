"""Asked to stop in any phase, a run ends in time and goes on as if unbroken."""

import json
import signal
from pathlib import Path

import programs
import pytest
from command_line import Line, arrays, assert_equal_bits

pytestmark = pytest.mark.slow

STOPPED_AT = Path(programs.__file__).with_name("stopped_at.py")
FLAGS = (
    "--experiment=fc_digits",
    "--set=train.steps=40",
    "--set=train.log_every_steps=10",
    "--set=train.checkpoint_every_steps=20",
    "--set=model.options.hidden=16,16",
    "--set=evaluators.0.every_steps=15",
)
# In their order, so that one run is stopped in all of them.
PHASES = {
    "importing the program": None,
    "building": None,
    "compiling and the first step": "stopped",
    "measuring report/classification": "stopped",  # at step 15
    "the present steps": "stopped",
    "measuring report/reliability": "stopped",  # at the end
}


def facts(folder):
    return json.loads((folder / "run.json").read_text())


def measured(folder):
    files = sorted((folder / "measurements").glob("*.json"))
    assert files
    return {
        file.name: json.loads(file.read_text())["scalars"] for file in files
    }


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_run_that_is_stopped_in_every_phase_loses_nothing(
    line, tmp_path, engine
):
    flags = (*FLAGS, f"--engine={engine}")
    unbroken = Line(tmp_path / "unbroken")
    unbroken(*flags)
    whole = unbroken.folder_of(*flags)
    folder = line.folder_of(*flags)
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    for place, (phase, outcome) in enumerate(PHASES.items()):
        done = programs.run(
            STOPPED_AT,
            phase,
            str(int(numbers[place % 3])),
            *line.words(*flags),
            engine=engine,
            code=3,
            env=line.environment(),
        )
        said = done.stderr.splitlines()
        assert [text for text in said if text.startswith("ls_tf: stop")] == [
            said[-2],
            "ls_tf: stopped; the state is saved and the same command resumes",
        ], phase
        assert said[-2].startswith("ls_tf: stopping after ")
        assert said[-2].endswith("; again to stop at once")
        assert done.stdout == ""
        assert not (folder / "lock").exists()
        there = facts(folder)["outcome"] if folder.exists() else None
        assert there == outcome, phase
    line(*flags)
    assert facts(folder)["outcome"] == "finished"
    assert_equal_bits(arrays(folder), arrays(whole))
    name = "metrics.csv"
    assert (folder / name).read_text() == (whole / name).read_text()
    assert measured(folder) == measured(whole)


def test_a_time_limit_does_not_wait_for_a_compiler(line):
    flags = (*FLAGS, "--engine=jax", "--strategy=mirrored")
    done = programs.run(
        STOPPED_AT,
        "compiling and the first step",
        "0",
        *line.words(*flags),
        engine="jax",
        code=3,
        env=line.environment(),
    )
    _, first, second, *_ = done.stderr.splitlines()
    assert first == "ls_tf: jax, 1 x cpu, float32"
    assert second.startswith("ls_tf: --strategy=mirrored: no accelerator was")
    phase = "compiling and the first step"
    assert [t for t in done.stderr.splitlines() if "stop" in t] == [
        f"ls_tf: the time limit of 0 min is over: stopping after {phase}",
        "ls_tf: stopped; the state is saved; go on with: COMMAND",
    ]
    assert facts(line.folder_of(*flags))["outcome"] == "stopped"
    line(*flags)
    assert facts(line.folder_of(*flags))["outcome"] == "finished"


def test_no_run_is_begun_that_a_time_limit_leaves_without_a_state(line):
    flags = ("--experiment=fc_digits_student", "--smoke")
    done = programs.run(
        STOPPED_AT,
        "between two runs",
        "0",
        *line.words(*flags, "--run_missing"),
        engine="tensorflow",
        code=3,
        env=line.environment(),
    )
    *_, why, end = said = done.stderr.splitlines()
    assert said[:2] == [
        "ls_tf: loading tensorflow",
        "ls_tf: tensorflow, 1 x CPU, float32",
    ]
    assert why.endswith(
        " min are left of the time limit of 10 min, a run takes 17 min to its "
        "first steps: stopping"
    )
    assert end.endswith("; go on with: COMMAND")
    (teacher,) = line.runs.rglob("run.json")
    assert "student" not in str(teacher)
    assert json.loads(teacher.read_text())["outcome"] == "finished"


def test_what_was_trained_is_saved_where_another_program_is_compiled(line):
    """Batches of sentences have several shapes, each with its program."""
    flags = (
        "--experiment=transformer_numbers",
        "--smoke",
        "--set=train.steps=8",
        "--engine=jax",
    )
    programs.run(
        STOPPED_AT,
        "compiling and the first step",
        "-1",
        *line.words(*flags),
        engine="jax",
        code=3,
        env=line.environment(),
    )
    run = facts(line.folder_of(*flags))
    assert (run["outcome"], run["step"]) == ("stopped", 1)
    saved = arrays(line.folder_of(*flags))
    assert saved["optimizer/0000/adam/iteration"] == 1
