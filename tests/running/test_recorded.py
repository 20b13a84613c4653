"""A run by its folder: what it is stands in its record."""

import json
import pathlib
import shutil

import pytest

from ls_tf import cli
from ls_tf.records import runs
from ls_tf.records.runs import RunError
from ls_tf.running import recorded
from ls_tf.spec import as_dict
from ls_tf.spec.resolve import resolve

RUNS = pathlib.Path(__file__).parents[2] / "results/runs"
HARD = RUNS / "fc_mnist/alpha=0/seed=1"


def test_every_committed_record_says_which_run_it_is():
    files = sorted(RUNS.glob("*/*/*/run.json"))
    assert len(files) > 100
    for file in files:
        found = recorded.of_folder(str(file.parent))
        assert found.runs_dir == str(RUNS)
        assert found.identity.folder == str(file.parent.relative_to(RUNS))
        assert found.identity.digest == json.loads(file.read_text())["digest"]


def test_it_is_the_run_that_its_flags_name():
    identity = recorded.of_folder(str(HARD)).identity
    named = resolve("fc_mnist", changed={"alpha": 0}, seed=1)
    assert identity.digest == named.digest
    assert identity.folder == named.folder
    assert identity.flags() == named.flags()
    assert as_dict(identity.spec) == as_dict(named.spec)


def test_a_folder_of_another_name_and_a_relative_one(tmp_path, monkeypatch):
    shutil.copytree(HARD, tmp_path / "a/mine")
    monkeypatch.chdir(tmp_path / "a")
    for name in ("mine", str(tmp_path / "a/mine")):
        found = recorded.of_folder(name)
        assert runs.find(found.runs_dir, found.identity) is not None
        assert found.identity.folder == "mine"
    monkeypatch.chdir(HARD.parent)
    found = recorded.of_folder("seed=1")
    assert (found.runs_dir, found.identity.place) == (str(RUNS), "")


@pytest.fixture
def line(tmp_path, monkeypatch, capsys):
    """Runs the command line; gives exit code, output, lines of errors."""
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        code = cli.main(["x", *flags])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


def test_show_wants_nothing_but_the_folder(line):
    shown = line(f"--run={HARD}", "--mode=show")
    named = line(
        *("--experiment=fc_mnist", "--alpha=0", "--seed=1", "--mode=show"),
        f"--runs_dir={RUNS}",
    )
    assert shown == named and shown[0] == 0
    # What the flags say again may stand there.
    same = ("--experiment=fc_mnist", "--set=train.alpha=0.0", "--seed=1")
    assert line(f"--run={HARD}", "--mode=show", *same) == named


def test_translate_is_given_the_folders_run(line, monkeypatch):
    given = []
    monkeypatch.setattr(
        "ls_tf.running.translate.check",
        lambda identity, runs_dir: given.append((identity.title, runs_dir)),
    )
    monkeypatch.setattr("ls_tf.running.session.Session", lambda machine: None)
    monkeypatch.setattr("ls_tf.running.translate.run", lambda *_: None)
    folder = RUNS / "transformer_multi30k/alpha=0/seed=0"
    with (folder / "run.json").open() as text:
        monkeypatch.setattr("sys.stdin", text)
        assert line(f"--run={folder}", "--mode=translate")[0] == 0
    assert given == [("transformer_multi30k alpha=0.0 seed=0", str(RUNS))]


def test_a_record_without_weights_is_refused_before_an_engine(
    line, monkeypatch
):
    def started(_):
        raise AssertionError("an engine was started")

    monkeypatch.setattr("ls_tf.running.session.Session", started)
    folder = RUNS / "transformer_multi30k/alpha=0/seed=0"
    with (folder / "run.json").open() as text:
        monkeypatch.setattr("sys.stdin", text)
        code, out, (said,) = line(f"--run={folder}", "--mode=translate")
    assert (code, out) == (2, "")
    assert "has no checkpoint; make it with: " in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--mode=train"], "--run goes with --mode=eval, translate, show, got"),
        ([], "--run goes with --mode=eval, translate, show, got --mode=train_"),
        (
            ["--mode=show", "--experiment=fc_digits"],
            "--experiment=fc_digits contradicts the run, which has "
            "--experiment=fc_mnist",
        ),
        (
            ["--mode=eval", "--alpha=0.2"],
            "alpha=0.2 contradicts the run, which has alpha=0.0",
        ),
        (
            ["--mode=eval", "--set=model.options.hidden=9,9"],
            "model.options.hidden=9,9 contradicts the run, which has "
            "model.options.hidden=[1200, 1200]",
        ),
        (
            ["--mode=eval", "--seed=0"],
            "--seed=0 contradicts the run, which has --seed=1",
        ),
        (
            ["--mode=eval", "--smoke"],
            "--smoke=True contradicts the run, which has --smoke=False",
        ),
        (["--mode=eval", "--set=alhpa=0"], "no field 'alhpa'; existing"),
        (["--mode=eval", "--stack=seed:0..1"], "--stack goes without --run"),
        (["--mode=eval", "--report=compare"], "--report goes without --run"),
        (
            ["--mode=show", "--runs_dir=elsewhere"],
            f"wanted no --runs_dir, or {RUNS}, got elsewhere",
        ),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_a_contradiction_is_one_line(line, tmp_path, flags, says):
    code, out, err = line(f"--run={HARD}", *flags)
    assert (code, out, len(err)) == (2, "", 1)
    assert says in err[0]
    assert list(tmp_path.iterdir()) == []


def test_no_run_and_a_damaged_one_are_one_line(line, tmp_path):
    for folder in ("", "nowhere", str(RUNS)):
        code, _, err = line(f"--run={folder}", "--mode=show")
        assert (code, err) == (
            2,
            [
                f"ls_tf: --run={folder}: wanted the folder of a run, there is "
                "no run.json"
            ],
        )
    shutil.copytree(HARD, tmp_path / "mine")
    file = tmp_path / "mine/run.json"
    run = json.loads(file.read_text())
    file.write_text(json.dumps(run | {"outcome": "stopped"}))
    code, _, err = line("--run=mine", "--mode=show")
    assert (code, err) == (2, ["ls_tf: --run=mine: the run is not finished"])
    run["spec"]["learning_rate"] = 0.5
    file.write_text(json.dumps(run))
    with pytest.raises(RunError, match="not that of its digest"):
        recorded.of_folder("mine")
    run["spec"]["novelty"] = 1
    file.write_text(json.dumps(run))
    with pytest.raises(RunError, match=r"another version of ls_tf: no field"):
        recorded.of_folder("mine")
