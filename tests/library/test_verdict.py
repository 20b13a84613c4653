"""Tests of ls_tf.analyze and of the command."""

import csv
import math
import re

import numpy as np
import pytest
from arrays_of_frameworks import Tensor

import ls_tf
from ls_tf import cli
from ls_tf.analysis import neural_collapse

CLASSES = 6


def network(count=900, spread=1.0, blind=False, seed=0):
    """Arrays of a network; a blind one keeps its answers and nothing else."""
    generator = np.random.default_rng(5)
    labels = generator.integers(0, CLASSES, count)
    kernel = generator.normal(size=(9, CLASSES))
    noise = np.random.default_rng(seed).normal(size=(count, 9))
    features = kernel.T[labels] + 3 * spread * noise
    logits = features @ kernel / 3
    if blind:
        answers = logits.argmax(axis=1)
        logits = np.random.default_rng(9).uniform(0, 1, logits.shape)
        logits[np.arange(count), answers] = 3
    return {
        "logits": logits,
        "labels": labels,
        "features": features,
        "weights": kernel,
    }


@pytest.fixture(scope="module")
def pair():
    return ls_tf.analyze(network(), network(blind=True), resamples=60)


def test_the_numbers_are_those_of_the_library(pair):
    arrays = network()
    hard = pair.numbers["hard"]
    both = arrays["logits"], arrays["labels"]
    for name in ("accuracy", "nll", "ece", "debiased_ece"):
        wanted = getattr(ls_tf.calibration, name)(*both)
        assert hard[name].value == pytest.approx(wanted)
    assert hard["temperature"].value == pytest.approx(
        ls_tf.temperature.fit(*both).temperature
    )
    assert hard["class_separation"].value == pytest.approx(
        neural_collapse.class_separation(arrays["features"], arrays["labels"])
    )
    picture = ls_tf.geometry.project(
        arrays["features"],
        arrays["labels"],
        arrays["weights"],
        classes=(0, 1, 2),
    )
    assert hard["tightness"].value == pytest.approx(
        picture.measures["tightness"]
    )
    collapse = ls_tf.geometry.collapse(
        arrays["features"], arrays["labels"], arrays["weights"]
    )
    assert hard["nc1"].value == pytest.approx(collapse["nc1"])
    # Scaled by halves: near to the fit on all, and never the same.
    fitted = ls_tf.temperature.fit(*both).after
    assert fitted < hard["nll_scaled"].value < fitted + 0.02


def test_a_difference_is_smoothed_less_hard_and_of_pairs(pair):
    for name, estimate in pair.numbers["difference"].items():
        a, b = (pair.numbers[n][name].value for n in ("hard", "smoothed"))
        assert estimate.value == pytest.approx(b - a, nan_ok=True)
    # Both answer alike, example by example: a pair shows that.
    accuracy = pair.numbers["difference"]["accuracy"]
    assert (accuracy.low, accuracy.high) == (0, 0)
    assert pair.changes[0].startswith("accuracy: no change can be seen")
    hard, blind = (
        ls_tf.calibration.nll(arrays["logits"], arrays["labels"])
        for arrays in (network(), network(blind=True))
    )
    assert blind < hard  # which is over-confident
    assert pair.changes[1].startswith(
        f"NLL: fell; difference −{hard - blind:.4f}"
    )


def test_networks_of_other_examples_are_not_a_pair():
    order = np.random.default_rng(0).permutation(900)
    other = {
        k: v if k == "weights" else v[order]
        for k, v in network(blind=True).items()
    }
    found = ls_tf.analyze(network(), other, resamples=60)
    estimate = found.numbers["difference"]["accuracy"]
    a, b = (found.numbers[n]["accuracy"] for n in ("hard", "smoothed"))
    assert estimate.value == pytest.approx(0)
    half = math.hypot(b.value - b.low, a.high - a.value)
    assert estimate.low == pytest.approx(-half)
    assert half > 0.01
    assert "not given the same labels" in found.changes[-1]


def test_a_network_that_keeps_its_answers_alone_may_not_teach(pair):
    answers = {name: answer for name, (answer, _) in pair.teachers.items()}
    assert answers["hard"] == "yes"
    assert answers["smoothed"] in ("no", "cannot be said")
    assert pair.numbers["hard"]["information"].low > 0.1
    assert pair.numbers["difference"]["information"].high < -0.1
    t = pair.numbers["hard"]["teacher_temperature"].value
    assert f"temperature {t:.3g}" in pair.teachers["hard"][1]


def test_one_that_holds_less_is_no_teacher_beside_one_that_holds_more():
    generator = np.random.default_rng(1)
    dull = network()
    noise = generator.normal(size=dull["logits"].shape)
    noise[np.arange(900), dull["logits"].argmax(axis=1)] = 0
    top = dull["logits"].max(axis=1, keepdims=True)
    # Never above the answer, so that the answers stay.
    dull["logits"] = np.minimum(dull["logits"] + 2 * noise, top)
    found = ls_tf.analyze(network(), dull, resamples=60)
    assert found.teachers["smoothed"][0] == "no"
    assert found.numbers["smoothed"]["information"].low > 0
    assert "it holds less" in found.teachers["smoothed"][1]
    turned = ls_tf.analyze(dull, network(), resamples=60)
    assert turned.teachers["hard"][0] == "no"
    assert turned.teachers["smoothed"][0] == "yes"


def test_one_network_alone_with_logits_alone():
    arrays = network()
    found = ls_tf.analyze(
        smoothed={k: Tensor(arrays[k]) for k in ("logits", "labels")},
        resamples=20,
    )
    assert list(found.numbers) == ["smoothed"]
    assert found.changes == ()
    assert "class_separation" not in found.numbers["smoothed"]
    assert found.teachers["smoothed"][0] == "yes"
    assert "do not say" in found.teachers["smoothed"][1]
    assert found.page is None


def test_few_wrong_answers_say_nothing_of_a_teacher():
    found = ls_tf.analyze(network(spread=0.1), resamples=20)
    answer, reason = found.teachers["hard"]
    assert answer == "cannot be said"
    assert "too few" in reason


def test_probabilities_by_their_name_give_the_same():
    arrays = network()
    e = np.exp(arrays["logits"])
    probs = e / e.sum(axis=1, keepdims=True)
    a, b = (
        ls_tf.analyze({**given, "labels": arrays["labels"]}, resamples=20)
        for given in ({"logits": arrays["logits"]}, {"probabilities": probs})
    )
    for name in ("ece", "nll", "information", "aurc"):
        assert b.numbers["hard"][name].value == pytest.approx(
            a.numbers["hard"][name].value
        )


@pytest.fixture
def line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        code = cli.main(["ls_tf", "analyze", *flags])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.mark.slow
def test_the_command_writes_a_page_a_table_and_pictures(line, tmp_path):
    np.savez("a.npz", **network())
    np.savez("b.npz", **network(blind=True))
    code, out, err = line(
        "--hard=a.npz", "--smoothed=b.npz", "--out=x", "--resamples=20"
    )
    assert (code, err) == (0, [])
    assert "May the hard network serve as a teacher? yes" in out
    assert out.rstrip().endswith("x/index.html")
    files = {p.name for p in (tmp_path / "x").iterdir()}
    assert {"index.html", "verdict.csv", "verdict.md"} <= files
    for name in ("reliability", "risk_coverage", "projection"):
        assert {f"{name}.png", f"{name}.pdf"} <= files
    page = (tmp_path / "x/index.html").read_text("utf-8")
    assert "How “may serve as a teacher” is judged" in page
    assert "a.npz" in page
    assert re.search(r'>accuracy, %</td><td class="number">\d+\.\d\d<', page)
    table = (tmp_path / "x/verdict.csv").read_text("utf-8")
    rows = list(csv.reader(table.splitlines()))
    hits = network()["logits"].argmax(axis=1) == network()["labels"]
    written = {row[0]: row[1] for row in rows}
    assert float(written["accuracy, %"]) == pytest.approx(100 * hits.mean())
    numbers = (tmp_path / "x/verdict_numbers.csv").read_text("utf-8")
    headings, *rows = csv.reader(numbers.splitlines())
    assert headings[:4] == [
        "measure",
        "hard",
        "hard, 95% interval from",
        "hard, 95% interval to",
    ]
    assert headings[5] == "smoothed, 95% interval from"
    assert len(set(headings)) == len(headings)
    for row in rows:  # floats, or nothing; no words
        assert all(math.isfinite(float(cell)) for cell in row[1:] if cell)
    (accuracy,) = (row[1:4] for row in rows if row[0] == "accuracy, %")
    value, low, high = map(float, accuracy)
    assert value == float(written["accuracy, %"])  # all digits
    assert low < value < high and f"{low:.2f} to {high:.2f}" in page
    assert f'"number">{value:.2f}<' in page


GOOD = network(60)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": None}, "wanted an array 'labels', got logits"),
        ({"logits": None}, "'logits' or 'probabilities'"),
        ({"labels": GOOD["labels"][:-1]}, "shapes"),
        ({"labels": GOOD["labels"] + 1}, "labels from 0 to 5, got 1 to 6"),
        ({"labels": GOOD["labels"] * 1.0}, "integer labels"),
        ({"logits": np.where(np.eye(60, 6), np.nan, 0.0)}, "NaN"),
        ({"logits": np.full((60, 6), 1 / 6)}, "name the array 'probabilities'"),
        ({"features": GOOD["features"][:5]}, "features [60, D]"),
        ({"features": GOOD["features"] * np.inf}, "finite features"),
        ({"features": None}, "'weights' goes with 'features'"),
        ({"weights": np.zeros((9, 5))}, "weights of 6 classes"),
        ({"weights": np.zeros((8, 6))}, "side of 9 features"),
        ({"bias": np.zeros(5)}, "a bias [6]"),
        ({"feature": GOOD["features"]}, "no array 'feature' is known"),
        ({"labels": np.array([object()] * 60)}, "damaged"),
    ],
)
def test_bad_arrays_are_one_line_and_nothing_is_written(
    line, tmp_path, change, said
):
    arrays = {k: v for k, v in (GOOD | change).items() if v is not None}
    np.savez("a.npz", **arrays)
    code, out, err = line("--hard=a.npz")
    assert (code, out) == (2, "")
    assert len(err) == 1 and "a.npz" in err[0] and said in err[0]
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "wanted --hard=FILE.npz"),
        (("--hard=no.npz",), "no.npz cannot be read: it is not there"),
        (("--hard=a.npz", "--classes=1,2"), "three different classes"),
        (("--hard=a.npz", "--classes=1,2,x"), "--classes"),
        (("--hard=a.npz", "--classes=1,2,6"), "three different classes"),
        (("--hard=a.npz", "--resamples=3"), "--resamples: wanted 10"),
        (("--hard=a.npz", "--order=up"), "features_first or classes_first"),
        (("--hard=a.npz", "--smoothed=b.npz"), "two networks of the same"),
        (("--hard=a.npz", "--nonsense=1"), "nonsense"),
        (("--hard=a.npz", "word"), "flags only"),
        (("--hard=broken.npz",), "broken.npz is damaged"),
        (("--hard=a.npz", "--out=a.npz/x"), "cannot be written"),
    ],
)
def test_bad_flags_are_one_line_and_nothing_is_written(
    line, tmp_path, flags, said
):
    np.savez("a.npz", **GOOD)
    np.savez("b.npz", logits=GOOD["logits"][:, :5], labels=GOOD["labels"] % 5)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    before = sorted(tmp_path.iterdir())
    code, out, err = line(*flags)
    assert (code, out) == (2, "")
    assert len(err) == 1 and said in err[0]
    assert sorted(tmp_path.iterdir()) == before


def test_help_names_the_flags(line):
    code, out, _ = line("--help")
    assert code == 0
    assert "--smoothed" in out and "--out" in out


def test_no_network_is_refused():
    with pytest.raises(ValueError, match="hard or a smoothed"):
        ls_tf.analyze()
