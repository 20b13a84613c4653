"""What each experiment resolves to, compared letter by letter.

A file changes only with a stated reason: every record made before it has
another digest then, and is refused. To write the file of one experiment:

    python run_experiment.py --experiment=NAME --mode=print \\
        > tests/golden/specs/NAME.json
"""

import pathlib

import pytest

from ls_tf import cli
from ls_tf.spec import registry

FOLDER = pathlib.Path(__file__).parent / "specs"
EXPERIMENTS = registry.names("ls_tf.experiments")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_resolved_experiment_is_as_recorded(name, capsys):
    assert cli.main(["x", f"--experiment={name}", "--mode=print"]) == 0
    printed = capsys.readouterr().out
    assert printed == (FOLDER / f"{name}.json").read_text()


def test_there_is_no_file_without_an_experiment():
    assert sorted(p.stem for p in FOLDER.iterdir()) == EXPERIMENTS
