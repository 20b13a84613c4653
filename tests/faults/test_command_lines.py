"""Generated command lines: a promised exit code, one line, nothing written.

They go through ``cli.main`` in this process. What would train, and what would
start an engine, is put aside: it is reached with what has been accepted.
"""

import collections
import contextlib
import io
import json
import pathlib
import signal
import sys

import pytest
from harness import CODES
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as some

from ls_tf import arguments, cli
from ls_tf.launchers import choice
from ls_tf.running import execute, session, sweep, translate
from ls_tf.spec import as_dict, registry
from ls_tf.spec.resolve import EXPERIMENTS, resolve

SECONDS = 10  # for one command line
NAMES = registry.names(EXPERIMENTS)
REPORTS = registry.names("ls_tf.reports")
ODD = [
    *("", " ", "0", "-1", "1", "2.5", "nan", "-inf", "1e300", "1e-300", "0x10"),
    *("true", "none", "None", "null", "[]", "{}", "()", "a,b", ",", "1,,2"),
    *("²", "٣", "é", "\udcff", "\x00", "a\nb", "$$", "%s", "{0}", "\\", "~"),
    *("..", "../x", "/", "/dev/null", "gs://", "-", "--", "=", "a=b", "<b>"),
    *("9" * 5000, "x" * 300, "1" + "0" * 400, "-9223372036854775809"),
    *("0..3", "seed:0..2", "seed:0..999999999999", "1/2", "2/1", "0/0"),
]
FLAGS = {
    "alpha": ["0", "0.1", "1"],
    "seed": ["0", "3"],
    "mode": list(arguments.MODES),
    "engine": ["tensorflow", "jax"],
    "strategy": ["default", "mirrored", "multi_worker", "tpu"],
    "stack": ["seed:0..1", "alpha:0,0.1", "train.steps:1,2", "seed:1,1"],
    "micro_batches": ["1", "5"],
    "logical_devices": ["1", "2", "1000000"],
    "launcher": ["here", "local", "slurm", "ray"],
    "jobs": ["1", "2"],
    "retries": ["0", "2"],
    "slurm": ["partition=gpu,timeout_min=5", "partitoin=gpu"],
    "ray": ["auto", "127.0.0.1:1", "auto,num_gpus=1"],
    "runs_dir": ["runs", "a_file", "a_folder", "a_file/below"],
    "reports_dir": ["reports", "a_file"],
    "data_dir": ["a_folder", "a_file", "nowhere"],
    "prepared": ["x.npz", "a_folder", "x.txt"],
    "readme": ["a_readme", "a_file", "nowhere"],
    "flagfile": ["good.flags", "odd.flags", "bytes.flags", "again.flags"],
}
SWITCHES = ("smoke", "deterministic", "run_missing", "help")


def _leaves(value, path=""):
    """Paths of the fields of a specification."""
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        pairs = enumerate(value)
    else:
        return [path]
    return [
        leaf
        for name, below in pairs
        for leaf in _leaves(below, f"{path}.{name}" if path else str(name))
    ]


PATHS = sorted(
    {
        path
        for name in ("fc_digits_student", "transformer_numbers", "fc_digits")
        for path in _leaves(as_dict(resolve(name).spec))
    }
)


def _texts():
    return some.one_of(
        some.sampled_from(ODD),
        some.integers(-(10**30), 10**30).map(str),
        some.floats().map(str),
        some.text(max_size=8),
    )


def _valued(name):
    known = some.sampled_from(FLAGS[name])
    return some.one_of(known, known, known, _texts()).flatmap(
        lambda value: some.sampled_from(
            [[f"--{name}={value}"], [f"--{name}", value]]
        )
    )


def _likely():
    """Values that a field may well take."""
    return some.one_of(
        some.integers(0, 20).map(str),
        some.sampled_from(["0.5", "true", "false", "1,2", "none", "16,16"]),
    )


def _changes():
    paths = some.one_of(
        some.sampled_from(PATHS),
        some.sampled_from(PATHS),
        some.sampled_from(["alpha", "seed", "train", "evaluators.99.name"]),
        some.sampled_from(PATHS).map(lambda path: path + ".x"),
        some.text("abc._0", max_size=9),
    )
    return some.tuples(paths, some.one_of(_likely(), _texts())).map(
        lambda both: [f"--set={both[0]}={both[1]}"]
    )


def _switches():
    return some.sampled_from(
        [[f"--{no}{name}"] for name in SWITCHES for no in ("", "no")]
    )


def _subjects():
    names = some.one_of(
        some.sampled_from(NAMES), some.sampled_from(NAMES), _texts()
    )
    reports = some.one_of(
        some.sampled_from(REPORTS), some.sampled_from(REPORTS), _texts()
    )
    return some.one_of(
        names.map(lambda name: [f"--experiment={name}", "--mode=print"]),
        names.map(lambda name: [f"--experiment={name}"]),
        some.just(["--experiment=fc_digits"]),
        some.just(["--experiment=transformer_numbers", "--mode=print"]),
        reports.map(lambda name: [f"--report={name}"]),
        reports.map(lambda name: [f"--report={name}", "--run_missing"]),
        some.just([]),
    )


def command_lines():
    """Lists of words."""
    parts = some.one_of(
        _changes(),
        _changes(),
        _switches(),
        some.sampled_from(sorted(FLAGS)).flatmap(_valued),
        some.one_of(_texts(), _texts().map(lambda t: f"--{t}")).map(
            lambda word: [word]
        ),
    )
    return some.tuples(_subjects(), some.lists(parts, max_size=4)).map(
        lambda both: [word for part in (both[0], *both[1]) for word in part]
    )


def _tree(folder):
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def _restore(folder, tree):
    """Removes what an accepted command line has written."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if str(path) not in tree:
            path.rmdir() if path.is_dir() else path.unlink()
    for name, content in tree.items():
        if content is not None:
            pathlib.Path(name).write_bytes(content)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with files that flags name; nothing here trains."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "a_file").write_text("neither a record nor data\n")
    (tmp_path / "a_readme").write_text("# A page without markers\n")
    (tmp_path / "good.flags").write_text("--experiment=fc_digits\n--smoke\n")
    (tmp_path / "odd.flags").write_text("--alpha\n\n--set\nx\n--flagfile=\n")
    (tmp_path / "bytes.flags").write_bytes(b"\xff\xfe--alpha=0\n\x00")
    (tmp_path / "again.flags").write_text("--flagfile=again.flags\n")
    monkeypatch.setattr(session, "Session", lambda *given: None)
    monkeypatch.setattr(execute, "run", lambda *given, **more: None)
    monkeypatch.setattr(sweep, "make_missing", lambda *given, **more: None)
    monkeypatch.setattr(choice, "carry_out", lambda *given: None)
    monkeypatch.setattr(translate, "run", lambda *given, **more: None)
    return tmp_path


class _TooLongError(Exception):
    pass


@contextlib.contextmanager
def _limit():
    """Raises in what takes too long."""

    def late(number, frame):
        raise _TooLongError(f"over {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _answer(words):
    """Exit code, output and lines of errors of one command line."""
    out, err = io.StringIO(), io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(b"one two\n"))
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
        _limit(),
    ):
        patch.setattr(sys, "stdin", stdin)
        code = cli.main(["run_experiment.py", *words])
    return code, out.getvalue(), err.getvalue().splitlines()


def _check(place, before, words):
    """What every command line has to keep; gives the exit code."""
    code, out, err = _answer(words)
    assert code in CODES, (code, err)
    assert not any("Traceback" in line for line in err), err
    if code == 2:
        assert len(err) == 1 and err[0].startswith("ls_tf: "), err
        assert out == ""
        assert _tree(place) == before
    if code == 0 and "--mode=print" in words and out.startswith("{"):
        assert json.JSONDecoder().raw_decode(out)[0]["digest"]
    return code


def test_generated_command_lines(place, is_long, figures):
    before = _tree(place)
    codes = collections.Counter()

    @seed(1)
    @settings(
        max_examples=1000 if is_long else 60,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(words=command_lines())
    def every(words):
        codes[_check(place, before, words)] += 1
        _restore(place, before)

    every()
    figures(
        "generated",
        lines=sum(codes.values()),
        **{f"exit {code}": number for code, number in sorted(codes.items())},
        tracebacks=0,
    )
    assert codes[0] and codes[2]
