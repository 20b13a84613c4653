"""The script of a bundle: what is missing, how long, and how a run ended."""

import json
import sys

import pytest

from ls_tf.bundles import working


@pytest.fixture
def unpacked(tmp_path):
    """A bundle whose program ends as the flag --code says."""

    def make(codes, needs=("json",)):
        run = {"title": "x", "folder": "x", "digest": "x", "data": "d.npz"}
        runs = [{**run, "flags": [f"--code={code}"]} for code in codes]
        listed = {
            "version": 1,
            "files": {},
            "needs": {name: f"the-{name}" for name in needs},
            "runs": runs,
        }
        (tmp_path / "bundle.json").write_text(json.dumps(listed))
        (tmp_path / "run_experiment.py").write_text(
            "import sys\n"
            f"open({str(tmp_path / 'said')!r}, 'a').write("
            "' '.join(sys.argv[1:]) + '\\n')\n"
            "sys.exit(int(sys.argv[1].removeprefix('--code=')))\n"
        )
        return tmp_path

    return make


def said(folder):
    return (folder / "said").read_text().splitlines()


def test_all_runs_are_carried_out_in_order(unpacked):
    folder = unpacked([0, 0])
    assert working.main(folder, ["--strategy=mirrored"]) == 0
    first, second = said(folder)
    assert (
        first
        == second
        == (
            f"--code=0 --engine=jax --data_dir={folder}/d.npz "
            f"--runs_dir={folder}/runs --strategy=mirrored"
        )
    )


def test_one_that_fails_does_not_end_the_others(unpacked):
    folder = unpacked([4, 0, 2])
    assert working.main(folder, []) == 4
    assert len(said(folder)) == 3


def test_one_that_is_stopped_does(unpacked):
    folder = unpacked([0, 3, 0])
    assert working.main(folder, []) == 3
    assert len(said(folder)) == 2


def test_the_time_limit_is_of_all_runs_together(unpacked, monkeypatch):
    folder = unpacked([0, 0, 0])
    times = iter([0.0, 0.0, 50.0, 61.0])  # seconds
    monkeypatch.setattr(working.time, "monotonic", lambda: next(times))
    assert working.main(folder, ["--time_limit=1"]) == 3
    limits = [line.rpartition("--time_limit=")[2] for line in said(folder)]
    assert limits == ["1.000000", "0.166667"]


@pytest.mark.parametrize(
    "words",
    [
        ["--time_limit", "1"],
        ["-time_limit=1"],
        ["--time_limit=7", "--time_limit=1"],  # the program takes the last
    ],
)
def test_a_time_limit_in_any_form_is_of_all_runs(unpacked, monkeypatch, words):
    folder = unpacked([0, 0])
    times = iter([0.0, 0.0, 61.0])
    monkeypatch.setattr(working.time, "monotonic", lambda: next(times))
    assert working.main(folder, [*words, "--tpu=local"]) == 3
    (first,) = said(folder)
    assert first.endswith("/runs --tpu=local --time_limit=1.000000")


def test_what_is_said_last_goes_on(unpacked, capsys, monkeypatch):
    folder = unpacked([0, 3])
    monkeypatch.setattr(sys, "executable", "/opt/a b/python3")
    codes = [0, 3, 0, -9, 3]
    monkeypatch.setattr(working._Child, "wait", lambda child: codes.pop(0))
    monkeypatch.setattr(working.subprocess, "Popen", lambda words: None)
    flags = ["--time_limit=5", "--strategy=mirrored"]
    for ended in ("stopped", "stopped by signal 9"):
        assert working.main(folder, flags) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert line == (
            f"ls_tf: {ended} in run 2 of 2; go on with: '/opt/a b/python3' "
            f"{folder}/run --time_limit=5 --strategy=mirrored"
        )
    usual = "/opt/bin/python3"
    monkeypatch.setattr(sys, "executable", "/opt/bin/python")
    monkeypatch.setattr(working.shutil, "which", {"python3": usual}.get)
    assert working.main(folder, []) == 3
    assert capsys.readouterr().err.endswith(f"go on with: {folder}/run\n")


@pytest.mark.parametrize("limit", ["0", "-1", "soon"])
def test_a_bad_time_limit_is_refused_by_the_program(unpacked, limit):
    folder = unpacked([2])
    assert working.main(folder, [f"--time_limit={limit}"]) == 2
    assert said(folder)[0].endswith(f"--time_limit={limit}")


def test_a_missing_package_is_one_line(unpacked, capsys):
    folder = unpacked([0], needs=("json", "no_such_package[a]"))
    assert working.main(folder, []) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "ls_tf: packages are missing; install them with: pip install "
        "'the-no_such_package[a]'"
    )
    assert not (folder / "said").exists()


def test_another_version_is_one_line(unpacked, capsys):
    folder = unpacked([0])
    listed = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**listed, "version": 9}))
    assert working.main(folder, []) == 2
    assert "version 9; wanted version 1" in capsys.readouterr().err


def test_a_signal_is_passed_on(tmp_path):
    # The child signals its parent, which passes the signal on to it.
    child = working._Child(
        [
            sys.executable,
            "-c",
            "import os, signal, sys, threading\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
            "os.kill(os.getppid(), signal.SIGTERM)\n"
            "threading.Event().wait(60)",
        ]
    )
    assert child.wait() == 3
