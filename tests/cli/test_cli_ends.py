"""How the command line ends: exit codes, and what it says then."""

import errno
import os
import sys
import types

import programs
import pytest
from cli_process import DIGITS, ROOT, process
from command_line import refusal

from ls_tf import arguments, cli, stopping
from ls_tf.records import runs

# --- the program


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--experiment=fc_digitz"], "did you mean 'fc_digits'"),
        (["--flagfile=/no/such.flags"], "/no/such.flags"),
        ([DIGITS, "--alpha=x", "--mode=print"], "got 'x'"),
    ],
    ids=["experiment", "flagfile", "alpha"],
)
def test_the_program_ends_with_one_line(flags, word):
    done = process(*flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert word in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--set=train.global_batch_size=5000"], "5000"),
        (
            [
                "--set=train.global_batch_size=51",
                "--strategy=mirrored",
                "--logical_devices=2",
            ],
            "51",
        ),
        (["--set=optimizer.options.momentum=-0.5"], "momentum"),
        (["--set=data.train=trian"], "trian"),
        (["--set=data.augmentation=shfit2"], "shfit2"),
        (["--set=model.options.hidden=0,4"], "hidden"),
        (["--runs_dir=/proc/self/runs"], "cannot be written"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_what_only_the_run_can_refuse_is_one_line_too(tmp_path, flags, word):
    done = programs.run(
        ROOT / "run_experiment.py",
        DIGITS,
        "--smoke",
        f"--runs_dir={tmp_path / 'runs'}",
        *flags,
        engine="tensorflow",
        code=2,
        env=os.environ,
    )
    assert done.stdout == ""
    assert word in refusal(done.stderr)
    assert not (tmp_path / "runs").exists()


# --- how an error ends


@pytest.fixture
def ended(monkeypatch, capsys):
    """The exit code and the lines of an error of the work."""

    def run(error):
        def start(argv):
            raise error

        monkeypatch.setattr(cli, "_start", start)
        code = cli.main(["x"])
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1
        return code, err

    return run


def test_exit_codes(ended, monkeypatch):
    execute = types.SimpleNamespace(
        NonFiniteLossError=type("NonFiniteLossError", (Exception,), {}),
    )
    monkeypatch.setitem(sys.modules, "ls_tf.running.execute", execute)
    assert ended(runs.RunError("two\nlines")) == (2, "ls_tf: two lines\n")
    code, said = ended(stopping.StoppedError())
    assert code == 3
    assert "the same command resumes" in said
    assert ended(execute.NonFiniteLossError("at step 5")) == (
        4,
        "ls_tf: at step 5\n",
    )
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        code, said = ended(OSError(number, os.strerror(number), "a/file"))
        assert code == 5
        assert "no space left" in said and "a/file" in said
    for number in (errno.EIO, errno.EROFS):
        code, said = ended(OSError(number, os.strerror(number)))
        assert code == 5
        assert f"the disk failed ({os.strerror(number)}); what was" in said


def test_a_time_limit_ends_with_the_command_that_goes_on(line, tmp_path):
    flags = (DIGITS, "--set=train.xla=false", "--time_limit=1e-9")
    code, out, (said,) = line(*flags)
    assert (code, out) == (3, "")
    assert said.endswith(
        f"; go on with: python run_experiment.py {' '.join(flags)}"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_bug_keeps_its_traceback(monkeypatch):
    for error in (
        ValueError("a bug"),
        OSError(errno.EBADF, "broken"),
        KeyError(),
    ):

        def start(argv, error=error):
            raise error

        monkeypatch.setattr(cli, "_start", start)
        with pytest.raises(type(error)):
            cli.main(["x"])


@pytest.mark.parametrize(
    "words",
    [
        ("--runs_dir=/home/someone/runs", "--alpha=0"),
        ("--runs_dir", "/home/someone/runs", "--alpha=0"),
        ("--alpha=0", "-data_dir=gs://bucket/data"),
        ("--alpha=0", "--readme"),
    ],
)
def test_the_recorded_command_holds_no_path_of_the_machine(words):
    found = arguments.recorded(["/opt/x/run_experiment.py", *words])
    assert found == ("run_experiment.py", "--alpha=0")


TOUR = ["--report=quick_tour", "--run_missing"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            [*TOUR, "--launcher=locla"],
            "no launcher 'locla'; existing: here, local, ray, slurm; did you",
        ),
        ([TOUR[0], "--launcher=local"], "--launcher goes with --run_missing"),
        ([DIGITS, "--launcher=local"], "--launcher goes with --run_missing"),
        (
            [DIGITS, "--run_missing", "--launcher=local", "--mode=eval"],
            "--launcher wants --mode=train_and_eval, got eval",
        ),
        ([*TOUR, "--retries=1"], "--retries goes with --launcher only"),
        ([*TOUR, "--jobs=2"], "--jobs goes with --launcher only"),
        (
            [*TOUR, "--launcher=local", "--jobs=0"],
            "--jobs: wanted 1 or more, got 0",
        ),
        (
            [*TOUR, "--launcher=local", "--slurm=partition=gpu"],
            "--slurm goes with --launcher=slurm only",
        ),
        (
            [*TOUR, "--launcher=slurm", "--ray=auto"],
            "--ray goes with --launcher=ray only",
        ),
        (
            [*TOUR, "--launcher=local", "--strategy=multi_worker"],
            "wanted a strategy of one process, got multi_worker",
        ),
    ],
)
def test_a_bad_launcher_is_one_line(line, tmp_path, monkeypatch, flags, words):
    monkeypatch.setenv(
        "TF_CONFIG",
        '{"cluster": {"worker": ["127.0.0.1:1"]}, '
        '"task": {"type": "worker", "index": 0}}',
    )
    code, out, err = line(*flags)
    assert (code, out) == (2, "")
    (message,) = err
    assert words in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        ("MemoryError", "", 2),
        ("XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory", 2),
        ("ResourceExhaustedError", "OOM when allocating\n tensor", 2),
        ("XlaRuntimeError", "INTERNAL: a bug", None),
        ("RuntimeError", "RESOURCE_EXHAUSTED", None),
    ],
)
def test_too_little_memory_is_one_line(capsys, kind, message, code):
    known = {"MemoryError": MemoryError, "RuntimeError": RuntimeError}
    made = known.get(kind) or type(kind, (RuntimeError,), {})
    assert cli._ended(made(message)) == code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == (code is not None)
    if said:
        assert said[0].startswith(f"ls_tf: not enough memory ({kind}: ")
