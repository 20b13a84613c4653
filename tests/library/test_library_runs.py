"""Tests of ls_tf.runs: recorded runs as a table and as a network."""

import json
import pathlib
import sys

import numpy as np
import pytest
from command_line import Line

import ls_tf

RECORDED = pathlib.Path(__file__).parents[2] / "results/runs"


def test_a_frame_has_a_row_a_run_and_what_was_measured():
    pytest.importorskip("pandas")
    folder = RECORDED / "fc_mnist"
    found = ls_tf.runs.frame(RECORDED)
    files = [p.read_text() for p in RECORDED.glob("*/*/*/run.json")]
    finished = [f for f in files if json.loads(f)["outcome"] == "finished"]
    assert len(found) == len(finished) < len(files)
    mine = found[found.experiment == "fc_mnist"]
    path = sorted(folder.glob("*/seed=0"))[0]
    row = mine[mine.folder == str(path)].iloc[0]
    measured = json.loads(
        (path / "measurements/reliability_report.json").read_text()
    )
    for name, value in measured["scalars"].items():
        assert row[f"reliability/report/{name}"] == value
    assert row.seed == 0
    run = json.loads((path / "run.json").read_text())
    for change, value in run["changes"].items():
        assert row[f"set/{change}"] == value


def test_without_pandas_a_frame_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "ls_tf\[pandas\]"'):
        ls_tf.runs.frame(RECORDED)
    assert ls_tf.runs.records(RECORDED)


def test_no_runs_and_no_run_are_one_line(tmp_path):
    with pytest.raises(ValueError, match="there is none"):
        ls_tf.runs.records(tmp_path / "nothing")
    assert ls_tf.runs.records(tmp_path) == []
    with (
        pytest.raises(ValueError, match="folder of a finished run"),
        ls_tf.runs.network(tmp_path),
    ):
        pass


def test_a_run_of_another_version_is_refused(tmp_path):
    from ls_tf.records.runs import Path

    folder = sorted((RECORDED / "fc_mnist").glob("*/seed=0"))[0]
    (record,) = (
        r for r in ls_tf.runs.records(RECORDED) if r.path == Path(str(folder))
    )
    record.run["digest"] = "0" * 64
    with pytest.raises(ValueError, match="is not the run"):
        ls_tf.runs._identity(record)


@pytest.mark.slow
def test_a_finished_run_is_a_model_with_the_logits_that_were_measured(tmp_path):
    line = Line(tmp_path)
    line("--experiment=fc_digits", "--smoke")
    folder = line.folder_of("--experiment=fc_digits", "--smoke")
    measured = json.loads(
        (folder / "measurements/reliability_report.json").read_text()
    )["scalars"]
    with ls_tf.runs.network(folder) as found:
        logits, labels = found.logits(), found.labels()
        assert len(found.class_names) == logits.shape[1] == 10
        nll = ls_tf.calibration.nll(logits, labels)
        assert nll == pytest.approx(measured["nll"], rel=1e-6)
        weights = found.model.get_layer("logits").get_weights()
        assert weights[0].shape[1] == 10
        assert np.isfinite(weights[0]).all()


def test_a_folder_without_runs_has_the_columns_of_every_run(tmp_path):
    pytest.importorskip("pandas")
    empty, full = ls_tf.runs.frame(tmp_path), ls_tf.runs.frame(RECORDED)
    assert len(empty) == 0
    assert list(full.columns)[: len(empty.columns)] == list(empty.columns)
    assert empty["experiment"].tolist() == []
