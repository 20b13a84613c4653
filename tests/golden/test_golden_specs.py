"""What each experiment is, compared letter by letter.

A file holds the canonical text that the digest is made of, set out to be read,
beside the digest itself and the folder of the run. Fields at their default are
not in it, so that a field added with a default changes no file; what the
defaults are is written down in ``tests/spec/test_spec.py``.

A file changes only with a stated reason: every record made before it has
another digest then, and is refused. To write the files of some experiments:

    python tests/golden/test_golden_specs.py NAME...
"""

import dataclasses
import hashlib
import json
import pathlib
import sys

import pytest

from ls_tf import cli
from ls_tf.spec import TrainSpec, as_dict, digest, from_dict, registry
from ls_tf.spec.resolve import RunIdentity, resolve
from ls_tf.spec.values import canonical_text

FOLDER = pathlib.Path(__file__).parent / "specs"
EXPERIMENTS = registry.names("ls_tf.experiments")


def file_text(identity: RunIdentity) -> str:
    """What the file of an experiment holds."""
    about = {
        "folder": identity.folder,
        "digest": identity.digest,
        "canonical": json.loads(canonical_text(identity.spec)),
    }
    return json.dumps(about, indent=2) + "\n"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_resolved_experiment_is_as_recorded(name):
    file = FOLDER / f"{name}.json"
    assert file.exists(), f"python {__file__} {name} writes it"
    assert file_text(resolve(name)) == file.read_text()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_printed_experiment_is_the_recorded_one(name, capsys):
    assert cli.main(["x", f"--experiment={name}", "--mode=print"]) == 0
    text = capsys.readouterr().out
    printed, identity = json.loads(text), resolve(name)
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    about = {
        "experiment": name,
        "changes": {},
        "seed": identity.seed,
        "folder": recorded["folder"],
        "digest": recorded["digest"],
        # Whole: with the fields that have their default value.
        "spec": as_dict(identity.spec),
    }
    assert text == json.dumps(about, indent=2) + "\n"
    spec = from_dict(printed["spec"])
    assert json.loads(canonical_text(spec)) == recorded["canonical"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_recorded_digest_is_of_the_recorded_text(name):
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    text = json.dumps(recorded["canonical"], sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == recorded["digest"]


@dataclasses.dataclass(frozen=True)
class LaterTrain(TrainSpec):
    """What an experiment says of training, and one thing more."""

    added: float = 0.5


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_field_with_a_default_changes_no_file(name):
    identity = resolve(name)
    fields = dataclasses.fields(TrainSpec)
    old = {f.name: getattr(identity.spec.train, f.name) for f in fields}
    later = dataclasses.replace(identity.spec, train=LaterTrain(**old))
    same = dataclasses.replace(identity, spec=later)
    assert file_text(same) == (FOLDER / f"{name}.json").read_text()
    # Another value than the default is another experiment.
    train = LaterTrain(**old, added=0.25)
    assert digest(dataclasses.replace(later, train=train)) != identity.digest


def test_there_is_no_file_without_an_experiment():
    assert sorted(p.stem for p in FOLDER.iterdir()) == EXPERIMENTS


if __name__ == "__main__":
    for chosen in sys.argv[1:]:
        (FOLDER / f"{chosen}.json").write_text(file_text(resolve(chosen)))
