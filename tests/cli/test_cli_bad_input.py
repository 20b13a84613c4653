"""What the command line refuses: exit code 2, one line, nothing written."""

import importlib.util
import os
import re

import pytest
from cli_process import DIGITS, process, tree
from command_line import refusal

from ls_tf import arguments


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "wanted --experiment=NAME or --report=NAME; experiments: .*fc_di"),
        (
            [DIGITS, "--report=quick_tour"],
            "wanted --experiment=NAME or --report=NAME",
        ),
        (
            ["--experiment=fc_digitz"],
            "no experiment 'fc_digitz'; existing: .*; did you mean 'fc_digits'",
        ),
        (["--experiment="], "no experiment ''; existing: .*fc_digits, "),
        (["--experiment=../fc_digits"], "no experiment '../fc_digits'; exist"),
        (
            ["--report=quick_tuor"],
            "no report 'quick_tuor'; existing: .*; did you mean 'quick_tour'",
        ),
        (["--report=_build"], "no report '_build'; existing: "),
        ([DIGITS, "--alhpa=0.1"], "Unknown command line flag 'alhpa'.*alpha"),
        ([DIGITS, "--bogus"], "Unknown command line flag 'bogus'"),
        ([DIGITS, f"--{'9' * 5000}"], "unknown flag, of hundreds of letters"),
        ([DIGITS, "fc_mnist"], "wanted flags only, got 'fc_mnist'"),
        ([DIGITS, "--alpha"], "alpha"),
        ([DIGITS, "--mode=prnit"], "no mode 'prnit'; .* did you mean 'print'"),
        ([DIGITS, "--smoke=maybe"], "smoke=maybe"),
        (["--report=quick_tour", "--alpha=0"], "--alpha goes with --experime"),
        (["--report=quick_tour", "--mode=print"], "--mode goes with --experim"),
        (["--report=quick_tour", "--set=a=b"], "--set goes with --experiment"),
        (["--report=all", "--run_missing"], "--run_missing goes with one rep"),
        (["--report=all", "--smoke"], "--smoke goes with one report"),
        (["--report=all", "--mode=bundle"], "--mode goes with one report at"),
        ([DIGITS, "--readme=README.md"], "--readme goes with --report only"),
        ([DIGITS, "--svg"], "--svg goes with --report only"),
        # fields
        ([DIGITS, "--set=train.alhpa=1"], "no field 'train.alhpa'.*'alpha'"),
        ([DIGITS, "--set=trian.alpha=1"], "no field 'trian'.*mean 'train'"),
        ([DIGITS, "--set=model.options.hiden=1"], "did you mean 'hidden'"),
        ([DIGITS, "--set=train=1"], "'train' is a group of fields, wanted"),
        ([DIGITS, "--set=teacher.beta=1"], "this experiment has no teacher"),
        ([DIGITS, "--set=evaluators.9.name=x"], "existing: 0 to 2"),
        ([DIGITS, "--set"], "set"),
        ([DIGITS, "--set="], "--set: wanted PATH=VALUE, got ''"),
        ([DIGITS, "--set=train.steps"], "--set: wanted PATH=VALUE, got 'tra"),
        ([DIGITS, "--set==5"], "--set: wanted PATH=VALUE, got '=5'"),
        ([DIGITS, "--set=.=5"], "no field ''; existing: data, "),
        ([DIGITS, "--set=seed=5"], "the seed has its own flag, --seed"),
        ([DIGITS, "--set=model.name=resnt"], "no model 'resnt'; existing: "),
        ([DIGITS, "--set=data.name=digts"], "no data set 'digts'; existing: "),
        ([DIGITS, "--set=optimizer.options.momentun=0.5"], "mean 'momentum'?"),
        ([DIGITS, "--set=optimizer.name=Momentun"], "no optimizer 'Momentun'"),
        ([DIGITS, "--set=schedule.name=linear_to_zeor"], "no schedule 'linea"),
        # types
        ([DIGITS, "--alpha=high"], "alpha: wanted a finite number, got 'high'"),
        ([DIGITS, "--alpha="], "alpha: wanted a finite number, got ''"),
        ([DIGITS, "--seed=1.5"], "--seed: wanted a whole number, got '1.5'"),
        ([DIGITS, "--seed=--1"], "--seed: wanted a whole number, got '--1'"),
        ([DIGITS, "--seed=²"], "--seed: wanted a whole number, got '²'"),
        ([DIGITS, "--set=train.steps=1.5"], "steps: wanted a whole number or"),
        ([DIGITS, "--set=train.xla=1"], "train.xla: wanted true or false, got"),
        ([DIGITS, "--set=train.xla=none"], "wanted true or false, got 'none'"),
        ([DIGITS, "--set=learning_rate=none"], "wanted a finite number, got"),
        (
            [DIGITS, "--set=model.options.hidden=16,x"],
            "hidden: wanted whole numbers between commas, got '16,x'",
        ),
        ([DIGITS, "--nosmoke=1"], "--nosmoke=1 does not take an argument"),
        # ranges
        ([DIGITS, "--alpha=-0.1"], "alpha: wanted 0 to 1, got -0.1"),
        ([DIGITS, "--alpha=1.1"], "alpha: wanted 0 to 1, got 1.1"),
        ([DIGITS, "--alpha=nan"], "alpha: wanted a finite number, got 'nan'"),
        ([DIGITS, "--alpha=inf"], "alpha: wanted a finite number, got 'inf'"),
        ([DIGITS, "--seed=-1"], "--seed: wanted 0 or more, got -1"),
        ([DIGITS, "--set=train.steps=-5"], "steps: wanted 1 or more, got -5"),
        ([DIGITS, "--set=train.steps=0"], "steps: wanted 1 or more, got 0"),
        ([DIGITS, "--set=train.epochs=-1"], "epochs: wanted more than 0, got"),
        ([DIGITS, "--set=train.epochs=none"], "steps or epochs, one of them"),
        ([DIGITS, "--set=train.global_batch_size=0"], "size: wanted 1 or more"),
        ([DIGITS, "--set=train.global_batch_size=-8"], "1 or more, got -8"),
        (
            [DIGITS, "--set=train.global_batch_size=2.5"],
            "wanted a whole number",
        ),
        ([DIGITS, "--micro_batches=0"], "--micro_batches: wanted 1 or more"),
        ([DIGITS, "--micro_batches=x"], "--micro_batches: wanted a whole num"),
        ([DIGITS, "--logical_devices=-1"], "--logical_devices: wanted 1 or"),
        ([DIGITS, "--strategy=mirorred"], "no strategy .* mean 'mirrored'"),
        ([DIGITS, "--engine=jaxx"], "no engine 'jaxx'; .*did you mean 'jax'"),
        (
            [DIGITS, "--engine=jax", "--strategy=multi_worker"],
            "--strategy=multi_worker: wanted --coordinator, --processes and",
        ),
        (
            [DIGITS, "--coordinator=a:1", "--processes=2", "--process=0"],
            "--coordinator, --processes and --process are for --engine=jax",
        ),
        ([DIGITS, "--tpu=local"], "--tpu goes with --strategy=tpu"),
        (
            [DIGITS, "--engine=jax", "--strategy=tpu", "--tpu=local"],
            "--tpu goes with --strategy=tpu and --engine=tensorflow; JAX",
        ),
        (
            [DIGITS, "--engine=jax", "--processes=0"],
            "--processes: wanted 1 or more, got 0",
        ),
        ([DIGITS, "--stack=seed:0..1"], "wants --engine=jax, got tensorflow"),
        (
            [DIGITS, "--engine=jax", "--stack=model.options.hidden:8,16"],
            "networks of one program cannot differ in 'model.options.hidden'",
        ),
        ([DIGITS, "--stack=seed:0..1", "--seed=3"], "is stacked and set"),
        (["--report=quick_tour", "--stack=seed:0..1"], "--experiment only"),
        ([DIGITS, "--bundle=x.zip"], "--bundle goes with --mode=bundle only"),
        ([DIGITS, "--from=x"], "--from goes with --mode=merge only"),
        (
            [DIGITS, "--mode=bundle", "--bundle=/"],
            "--bundle=/: wanted a file, got a directory",
        ),
        (
            [DIGITS, "--smoke", "--mode=bundle", "--bundle=/proc/self/a/b.zip"],
            "--bundle=/proc/self/a/b.zip cannot be written: No such file",
        ),
        (["--mode=merge"], "--mode=merge: wanted --from=FOLDER with records"),
        (["--mode=merge", "--from=no"], "--from=no: there is no such folder"),
        (
            ["--mode=merge", "--from=no", "--data_dir=.", "--reports_dir=x"],
            "--from=no: there is no such folder",
        ),
        (["--mode=merge", "--from=.", "--seed=3"], "--seed goes without it"),
        (
            ["--mode=merge", "--from=.", "--time_limit=0"],
            "--time_limit goes wi",
        ),
        (["--mode=merge", "--from=.", "--engine=jax"], "takes all records bel"),
        (
            ["--report=compare", "--runs=a,b", "--mode=bundle"],
            "--report=compare: --mode goes without --runs",
        ),
        ([DIGITS, "--mode=merge", "--from=."], "without --experiment and --re"),
        ([DIGITS, "--time_limit=0"], "--time_limit: wanted minutes, more than"),
        ([DIGITS, "--time_limit=-3"], "more than 0 and at most .*, got -3"),
        ([DIGITS, "--time_limit=1e9"], "at most 10,000,000, got 1e9"),
        ([DIGITS, "--time_limit=soon"], "wanted a finite number, got 'soon'"),
        ([DIGITS, "--time_limit=nan"], "wanted a finite number, got 'nan'"),
        ([DIGITS, "--compile_cache=x"], "goes with --engine=jax only"),
        (
            [DIGITS, "--engine=jax", "--compile_cache="],
            "--compile_cache: wanted a folder, or off, got ''",
        ),
        ([DIGITS, "--set=train.precision=half"], "train.precision: got 'half'"),
        ([DIGITS, "--prepared=x.npz"], "--prepared goes with --mode=prepare"),
        ([DIGITS, "--mode=prepare", "--prepared=x.zip"], "x.zip"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_bad_input_is_one_line(refused, flags, message):
    assert re.search(message, refused(*flags))


@pytest.mark.parametrize("mode", [m for m in arguments.MODES if m != "merge"])
def test_bad_input_is_refused_in_every_mode(refused, mode):
    assert "wanted 0 to 1" in refused(DIGITS, "--alpha=7", f"--mode={mode}")


@pytest.mark.parametrize(
    ("engine", "advice"),
    [("jax", "or jax-cuda"), ("tensorflow", "--engine=jax")],
)
def test_an_engine_that_is_not_installed(refused, monkeypatch, engine, advice):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == engine else find(name, *more),
    )
    message = refused(DIGITS, f"--engine={engine}")
    command = re.escape(f'pip install "ls_tf[{engine}]"')
    assert re.search(
        f"wants the package {engine}.*{command}.*{advice}", message
    )


def test_another_backend_in_this_process(refused):
    import keras

    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    message = refused(DIGITS, "--smoke", f"--engine={other}")
    assert f"Keras runs on {keras.backend.backend()}" in message


def test_prepare_writes_one_file_that_serves_as_the_data(line, tmp_path):
    code, out, _ = line(DIGITS, "--mode=prepare")
    assert (code, out) == (0, "fc_digits.npz\n")
    assert [p.name for p in tmp_path.iterdir()] == ["fc_digits.npz"]
    path = tmp_path / "sub" / "mine.npz"
    code, out, _ = line(DIGITS, "--mode=prepare", f"--prepared={path}")
    assert (code, out) == (0, f"{path}\n")
    code, _, _ = line(DIGITS, "--smoke", f"--data_dir={path}")
    assert code == 0


def test_a_prepared_file_of_another_data_set(line, tmp_path):
    line(DIGITS, "--mode=prepare")
    before = tree(tmp_path)
    code, out, err = line("--experiment=fc_mnist", "--data_dir=fc_digits.npz")
    assert (code, out) == (2, "")
    assert tree(tmp_path) == before
    message = refusal("\n".join(err))
    for word in ("digits", "fc_digits", "mnist", "--mode=prepare"):
        assert word in message


def test_a_data_directory_that_is_none(refused, tmp_path):
    message = refused(DIGITS, "--data_dir=nowhere")
    assert "--data_dir: wanted a directory" in message
    assert "nowhere does not exist" in message
    (tmp_path / "file").write_text("")
    assert "file is neither" in refused(DIGITS, "--data_dir=file")
    (tmp_path / "link").symlink_to("nothing")
    assert "link is neither" in refused(DIGITS, "--data_dir=link")


@pytest.mark.parametrize("name", ["closed", "closed.npz"])
def test_a_data_directory_that_may_not_be_read(
    refused, tmp_path, monkeypatch, name
):
    (tmp_path / name).mkdir()
    monkeypatch.setattr(os, "access", lambda path, how: path != name)
    message = refused(DIGITS, f"--data_dir={name}")
    assert message == f"--data_dir: no permission to read {name}"


@pytest.mark.slow
def test_a_stack_too_large_says_how_many_would_fit(tmp_path):
    done = process(
        DIGITS,
        "--engine=jax",
        "--set=model.options.hidden=8000,8000",
        "--stack=seed:0..499",
        f"--runs_dir={tmp_path / 'runs'}",
    )
    assert done.returncode == 2
    message = refusal(done.stderr)
    assert re.fullmatch(
        r"ls_tf: --stack: 500 networks need about \d+\.\d GiB of memory, "
        r"there are \d+\.\d; about \d+ would fit",
        message,
    )
    assert not (tmp_path / "runs").exists()


def test_bad_flagfiles(refused, tmp_path):
    assert "no_such.flags" in refused("--flagfile=no_such.flags")
    assert "Is a directory" in refused(f"--flagfile={tmp_path}")
    assert "flagfile" in refused("--flagfile")
    path = tmp_path / "a.flags"
    path.write_bytes(b"\xff\xfe--alpha=1\n")
    assert "a.flags, line 1: wanted UTF-8, got byte 0xff" in refused(
        DIGITS, f"--flagfile={path}"
    )
    path.write_text("--alhpa=1\n")
    assert "alhpa" in refused(DIGITS, f"--flagfile={path}")
    path.write_text("alpha=1\n")
    assert "wanted flags only, got 'alpha=1'" in refused(
        DIGITS, f"--flagfile={path}"
    )
    # What cannot be seen is seen, where it is no byte order mark.
    path.write_text("--alpha=1\n\ufeff--alpha=1\n")
    assert r"got '\ufeff--alpha=1'" in refused(DIGITS, f"--flagfile={path}")
    path.write_text("--alpha=0.1 # a comment\n")
    assert "alpha: wanted a finite number" in refused(
        DIGITS, f"--flagfile={path}"
    )


TASK = '"task": {"type": "worker", "index": 0}}'
WORKERS = '"cluster": {"worker": ["localhost:2222", "localhost:2223"]}'


@pytest.mark.parametrize(
    "config",
    [
        "",
        "not json",
        "{",
        "[]",
        "3",
        "null",
        '"text"',
        "{}",
        '{"cluster": {}}',
        '{"cluster": []}',
        "{" + WORKERS + "}",
        "{" + WORKERS + ', "task": {}}',
        "{" + WORKERS + ', "task": []}',
        "{" + WORKERS + ', "task": {"type": "worker"}}',
        "{" + WORKERS + ', "task": {"type": "worker", "index": 2}}',
        "{" + WORKERS + ', "task": {"type": "worker", "index": -1}}',
        "{" + WORKERS + ', "task": {"type": "worker", "index": "0"}}',
        "{" + WORKERS + ', "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": []}, ' + TASK,
        '{"cluster": {"worker": "a:1"}, ' + TASK,
        '{"cluster": {"worker": ["a"]}, ' + TASK,
        '{"cluster": {"worker": [1]}, ' + TASK,
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, '
        '"task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_malformed_tf_config(refused, monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    message = refused(DIGITS, "--strategy=multi_worker")
    assert message.startswith("TF_CONFIG")


def test_no_tf_config(refused):
    message = refused(DIGITS, "--strategy=multi_worker")
    assert message.startswith("TF_CONFIG is not set; wanted ")
