"""Records of any shape: read whole, or one line that names file and field."""

import json
import pathlib

import numpy as np
import pytest

from ls_tf.records import arrays, runs
from ls_tf.records.arrays import Form
from ls_tf.records.files import RunError
from ls_tf.spec.resolve import resolve

IDENTITY = resolve("fc_digits", smoke=True)
FACTS = {
    "command": ["x", "--smoke"],
    "git": {"commit": "abc", "dirty": False},
    "versions": {"python": "3.11", "jax": None},
    "engine": "tensorflow",
    "devices": ["CPU"],
    "replicas": 1,
}


@pytest.fixture
def folder(tmp_path):
    """A finished record without digests: what it says is all there is."""
    with runs.opened(str(tmp_path), IDENTITY, **FACTS) as directory:
        directory.begin(0, steps=2, train_seconds=0.5)
        directory.log(2, {"train/loss": 0.5})
        directory.measure(
            "reliability",
            "report",
            split="test",
            step=2,
            count=7,
            scalars={"ece": 0.25, "nll": np.nan, "top": np.inf},
            arrays={"bin_count": np.arange(3)},
            notes={"signature": "a|b"},
        )
        directory.update(outcome="finished")
    path = pathlib.Path(tmp_path) / IDENTITY.folder
    (path / "digests.json").unlink()
    edit(path / "run.json", lambda run: run.pop("indexed"))
    return path


def edit(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def find(folder):
    return runs.find(str(folder.parents[2]), IDENTITY)


def put(place, value):
    """Sets what stands at a place: names and numbers, with dots between."""

    def change(content):
        *path, last = place.split(".")
        for name in path:
            content = content[int(name) if name.isdigit() else name]
        content[int(last) if last.isdigit() else last] = value

    return change


def refused(act, file, *words):
    with pytest.raises(RunError) as caught:
        act()
    text = str(caught.value)
    assert text.startswith(str(file)), text
    assert "\n" not in text
    assert len(text) < len(str(file)) + 300
    for word in words:
        assert word in text
    return text


def test_what_is_written_is_read(folder):
    record = find(folder)
    assert not record.checked
    scalars = record.scalars("reliability", "report")
    assert scalars["ece"] == 0.25
    assert np.isnan(scalars["nll"]) and scalars["top"] == np.inf
    measurement = record.measurement("reliability", "report")
    assert measurement["notes"] == {"signature": "a|b"}
    assert record.metrics() == [{"step": 2.0, "train/loss": 0.5}]


@pytest.mark.parametrize(
    ("place", "value", "wanted"),
    [
        ("digest", 7, "text, got 7"),
        ("digest", None, "text, got None"),
        ("outcome", "finnished", "one of running, trained, finished"),
        ("outcome", ["finished"], "one of running, trained, finished"),
        ("step", "2", "a whole number from 0 on, got '2'"),
        ("step", -1, "a whole number from 0 on, got -1"),
        ("step", 2.0, "a whole number from 0 on, got 2.0"),
        ("step", True, "a whole number from 0 on, got True"),
        ("step", 10**400, "a whole number from 0 on, got 1000"),
        ("steps", None, "a whole number from 0 on"),
        ("seed", "0", "a whole number"),
        ("smoke", 1, "true or false"),
        ("changes", [], "names and values"),
        ("spec", None, "fields, got None"),
        ("spec", [], "fields, got []"),
        ("spec.data", 3, "fields, got 3"),
        ("spec.data.train", 3, "text, got 3"),
        ("spec.evaluators", {}, "a list, each fields"),
        ("spec.evaluators.0", "reliability", "fields"),
        ("spec.evaluators.0.role", 1, "text, got 1"),
        ("history", {}, "a list"),
        ("history", None, "a list"),
        ("history.0", "me", "fields"),
        ("history.0.git", "abc", "fields"),
        ("git.commit", 7, "text, got 7"),
        ("git.dirty", "no", "true or false"),
        ("versions", ["3.11"], "names, each with text or null"),
        ("versions.python", 3.11, "text"),
        ("devices", "CPU", "a list, each text"),
        ("devices.0", 1, "text, got 1"),
        ("engine", 1, "text"),
        ("train_seconds", "81", "a number from 0 on"),
        ("train_seconds", float("nan"), "a number from 0 on, got nan"),
        ("train_seconds", float("inf"), "a number from 0 on, got inf"),
        ("started", 2020, "text"),
    ],
)
def test_a_wrong_field_of_a_run_is_named(folder, place, value, wanted):
    file = folder / "run.json"
    edit(file, put(place, value))
    said = refused(
        lambda: find(folder), file, f"field {place}: wanted {wanted}"
    )
    root = str(folder.parents[2])
    assert refused(lambda: runs.refuse(root, IDENTITY), file) == said


@pytest.mark.parametrize(
    "name",
    ["digest", "spec", "history", "outcome", "step", "seed", "experiment"],
)
def test_a_missing_field_of_a_run_is_named(folder, name):
    file = folder / "run.json"
    edit(file, lambda run: run.pop(name))
    refused(lambda: find(folder), file, f"field {name}: wanted", "got nothing")


@pytest.mark.parametrize(
    ("place", "value", "wanted"),
    [
        ("scalars", None, "names, each with a number, got None"),
        ("scalars", [0.25], "names, each with a number"),
        ("scalars.ece", "0.25", "a number, got '0.25'"),
        ("scalars.ece", None, "a number, got None"),
        ("scalars.ece", True, "a number, got True"),
        ("scalars.ece", 10**400, "a number, got 1000"),
        ("scalars.ece", {"a": "b" * 500}, "a number, got {'a': 'bbb"),
        ("notes", "none", "names, each with text"),
        ("notes.signature", 3, "text, got 3"),
        ("count", -7, "a whole number from 0 on"),
        ("count", 0.5, "a whole number from 0 on"),
        ("step", None, "a whole number from 0 on"),
        ("split", 1, "text"),
    ],
)
def test_a_wrong_field_of_a_measurement_is_named(folder, place, value, wanted):
    file = folder / "measurements/reliability_report.json"
    edit(file, put(place, value))
    for read in ("scalars", "measurement", "arrays"):
        act = getattr(find(folder), read)
        refused(
            lambda act=act: act("reliability", "report"),
            file,
            f"field {place}: wanted {wanted}",
        )


@pytest.mark.parametrize(
    "name", ["scalars", "step", "count", "digest", "split"]
)
def test_a_missing_field_of_a_measurement_is_named(folder, name):
    file = folder / "measurements/reliability_report.json"
    edit(file, lambda measurement: measurement.pop(name))
    record = find(folder)
    refused(
        lambda: record.scalars("reliability", "report"),
        file,
        f"field {name}: wanted",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("digest", "f" * 64), ("evaluator", "other"), ("role", "train")],
)
def test_a_measurement_of_another_run_is_refused(folder, name, value):
    file = folder / "measurements/reliability_report.json"
    edit(file, put(name, value))
    record = find(folder)
    refused(
        lambda: record.scalars("reliability", "report"),
        file,
        f"is not of this run: {name}: wanted",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000 + "]" * 100_000, "RecursionError"),
        ('{"version": 1, "a": ' + "[" * 100_000, "RecursionError"),
        ('{"version": 1, "step": 1, "step": 2}', "'step' stands there twice"),
        ('{"version": 1, "spec": {"a": 1, "a": 1}}', "'a' stands there twice"),
        ('{"version": ' + "9" * 5000 + "}", "damaged"),
        ('{"version": 1, "step": ' + "9" * 5000 + "}", "damaged"),
        ('{"version": 0}', "wanted a version from 1 on, got 0"),
        ('{"version": true}', "wanted a version from 1 on, got True"),
        ('{"version": "1"}', "wanted a version from 1 on, got '1'"),
        ("[]", "is damaged"),
        ("", "is damaged"),
        ("\ufeff{}", "is damaged"),
    ],
)
@pytest.mark.parametrize(
    "name", ["run.json", "measurements/reliability_report.json"]
)
def test_json_of_any_kind_is_one_line(folder, name, text, says):
    file = folder / name
    file.write_text(text)
    refused(lambda: find(folder).scalars("reliability", "report"), file, says)


def test_a_name_that_is_not_there_lists_what_is(folder):
    record = find(folder)
    whose = f"{folder}: measurement reliability_report has no"
    with pytest.raises(RunError) as caught:
        record.scalars("reliability", "report")["eec"]
    assert str(caught.value) == (
        f"{whose} scalar 'eec'; existing: ece, nll, top"
    )
    with pytest.raises(RunError) as caught:
        record.arrays("reliability", "report")["bins"]
    assert str(caught.value) == f"{whose} array 'bins'; existing: bin_count"
    assert record.scalars("reliability", "report").get("eec") is None


# --- the form of arrays

FORMS = {
    "edges": Form("bins+1", 0, 1),
    "count": Form("bins", 0),
    "points": Form("points 2"),
    "labels": Form("points"),
    "share": Form("bins", 0, 1, may_lack=True),
}


def good():
    return {
        "edges": np.linspace(0, 1, 4),
        "count": np.array([3, 0, 1]),
        "points": np.zeros((5, 2), np.float32),
        "labels": np.arange(5),
        "share": np.array([0.5, np.nan, 1.0]),
        "more": np.array("text"),
    }


def test_arrays_of_their_form():
    assert arrays.unlike(good(), FORMS) is None
    assert arrays.unlike(good(), {}) is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("count", np.arange(4), "array count: wanted axes [bins], bins=3, got"),
        ("edges", np.zeros((2, 2)), "array edges: wanted axes [bins+1]"),
        ("edges", np.zeros(0), "array count: wanted axes [bins]"),
        ("points", np.zeros((5, 3)), "array points: wanted axes [points 2]"),
        ("points", np.zeros(5), "array points: wanted axes [points 2]"),
        ("points", np.zeros((1, 5, 2)), "array points: wanted axes"),
        ("labels", np.arange(6), "array labels: wanted axes [points]"),
        ("labels", np.array(1), "array labels: wanted axes [points]"),
        ("labels", np.full(5, "a"), "array labels: wanted numbers, got <U1"),
        ("labels", np.full(5, 1j), "array labels: wanted numbers, got complex"),
        ("count", np.full(3, -1), "array count: wanted values from 0 to 1.79"),
        ("count", np.full(3, np.nan), "array count: wanted values from 0"),
        ("count", np.full(3, np.inf), "array count: wanted values from 0"),
        ("share", np.full(3, 1.5), "wanted values from 0 to 1 or NaN"),
        ("points", np.full((5, 2), -np.inf), "array points: wanted values"),
    ],
)
def test_arrays_of_another_form_are_named(name, value, says):
    assert says in arrays.unlike(good() | {name: value}, FORMS)


def test_a_report_that_wants_another_form_says_so(folder):
    record = find(folder)
    file = folder / "measurements/reliability_report.npz"
    read = record.arrays("reliability", "report", {"bin_count": Form("bins")})
    assert read["bin_count"].tolist() == [0, 1, 2]
    refused(
        lambda: record.arrays(
            "reliability", "report", {"bin_count": Form("2")}
        ),
        file,
        "is not what is read: array bin_count: wanted axes [2]",
    )
    with pytest.raises(RunError, match="no array 'bin_edges'; existing: bin_c"):
        record.arrays("reliability", "report", {"bin_edges": Form("bins")})
