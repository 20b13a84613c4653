"""Any runs side by side: the page's numbers are those of the records."""

import json
import pathlib
import re
import shutil

import pytest
from built_pages import page_of, rows
from made_records import write
from scipy import stats

from ls_tf import cli
from ls_tf.analysis import bleu, translation_bootstrap
from ls_tf.pages.blocks import Need
from ls_tf.running import comparing, execute, sweep

RUNS = pathlib.Path(__file__).parents[2] / "results/runs"
MNIST = ("--experiment=fc_mnist", "--vary=alpha:0,.1", "--vary=seed:0..2")
HARD, SMOOTHED = "fc_mnist/alpha=0", "fc_mnist/paper"
TEXT = "transformer_multi30k"


def scalars(folder, name):
    file = RUNS / folder / f"measurements/{name}_report.json"
    return json.loads(file.read_text("utf-8"))["scalars"]


def over_seeds(folder, name, scalar):
    return [scalars(f"{folder}/seed={k}", name)[scalar] for k in range(3)]


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys, quick):
    """Builds the page by the command line; gives its folder, or the refusal."""
    monkeypatch.chdir(tmp_path)

    def run(*flags, code=0):
        ended = cli.main(["x", "--report=compare", *flags])
        out, err = capsys.readouterr()
        assert ended == code, err
        if code:
            assert out == "" and len(err.splitlines()) == 1, err
            assert not (tmp_path / "reports").exists()
            return err
        assert out == "reports/compare/index.html\n" and err == ""
        return tmp_path / "reports/compare"

    return run


def test_rows_are_the_product_of_the_fields_and_seeds_are_averaged(compare):
    folder = compare(*MNIST, f"--runs_dir={RUNS}")
    hard, smoothed = rows(folder, "scores")
    for row, name, of in (
        (hard, "alpha = 0", HARD),
        (smoothed, "alpha = 0.1", SMOOTHED),
    ):
        assert (row["network"], row["seeds"]) == (name, "3")
        accuracy = over_seeds(of, "classification", "accuracy")
        assert float(row["accuracy, %"]) == pytest.approx(
            100 * sum(accuracy) / 3, rel=1e-12
        )
        for heading, scalar in (
            ("NLL", "nll"),
            ("ECE", "ece"),
            ("T", "temperature"),
            ("NLL at T", "nll_scaled"),
            ("ECE at T", "ece_scaled"),
        ):
            values = over_seeds(of, "reliability", scalar)
            assert float(row[heading]) == pytest.approx(
                sum(values) / 3, rel=1e-12
            )
    by_seed = [r for r in rows(folder, "by_seed") if r["seed"] == "1"]
    assert [float(r["ECE"]) for r in by_seed] == [
        scalars(f"{of}/seed=1", "reliability")["ece"] for of in (HARD, SMOOTHED)
    ]
    assert {p.stem for p in folder.glob("*.png")} == {
        *("reliability", "penultimate")
    }


def test_a_difference_is_said_with_its_seeds_and_interval(compare):
    page = page_of(compare(*MNIST, f"--runs_dir={RUNS}"))
    apart = [
        100 * (b - a)
        for a, b in zip(
            over_seeds(HARD, "classification", "accuracy"),
            over_seeds(SMOOTHED, "classification", "accuracy"),
            strict=True,
        )
    ]
    mean = sum(apart) / 3
    low, high = stats.ttest_1samp(apart, 0).confidence_interval()
    assert min(apart) > 0 > low  # else the words would be others
    assert (
        "alpha = 0.1 against alpha = 0: accuracy is higher: difference "
        f"{mean:+.2f} points in 3 of 3 seeds (Student's 95 % interval "
        f"over the seeds: −{-low:.2f} to {high:+.2f}, within noise)."
    ) in page
    scaled = [
        b - a
        for a, b in zip(
            over_seeds(HARD, "reliability", "ece_scaled"),
            over_seeds(SMOOTHED, "reliability", "ece_scaled"),
            strict=True,
        )
    ]
    more = sum(x > 0 for x in scaled)
    assert f"ECE at T is higher: difference {sum(scaled) / 3:+.4f} in" in page
    assert more == 2 and "in 2 of 3 seeds" in page


def test_a_temperature_at_its_bound_is_said(compare, tmp_path):
    for alpha in (0.0, 0.1):
        for seed in (0, 1):
            need = Need("fc_mnist", {"alpha": alpha}, seed=seed)
            is_at = float(alpha == 0 and seed == 1)
            write(
                tmp_path / "runs", need, changed={"temperature_at_bound": is_at}
            )
    folder = compare(
        "--experiment=fc_mnist", "--vary=alpha:0,.1", "--vary=seed:0..1"
    )
    page = page_of(folder)
    assert "A T of alpha = 0 is a bound of the search" in page
    assert "alpha = 0.1 is a bound" not in page
    unbound = page_of(compare(*MNIST, f"--runs_dir={RUNS}"))
    assert "bound of the search" not in unbound


def test_runs_by_their_folders_whatever_they_are_called(compare, tmp_path):
    moved = tmp_path / "mine"
    shutil.copytree(RUNS / HARD / "seed=0", moved)
    folder = compare(f"--runs={RUNS / SMOOTHED},{moved}")
    smoothed, hard = rows(folder, "scores")
    # Compared with the row that is named first, over the seed of both.
    page = page_of(folder)
    a, b = (scalars(f"{of}/seed=0", "reliability") for of in (SMOOTHED, HARD))
    assert (smoothed["seeds"], hard["seeds"]) == ("3", "1")
    assert (
        "alpha = 0 against alpha = 0.1: ECE is lower: difference "
        f"−{a['ece'] - b['ece']:.4f} in 1 of 1 seed."
    ) in page
    assert float(hard["ECE"]) == b["ece"]
    assert str(tmp_path) not in page


def test_of_transformers_bleu_and_subwords(compare):
    folder = compare(
        f"--experiment={TEXT}", "--vary=alpha:0,.1", f"--runs_dir={RUNS}"
    )
    for row, of in zip(
        rows(folder, "scores"),
        (f"{TEXT}/alpha=0", f"{TEXT}/paper"),
        strict=True,
    ):
        text = scalars(f"{of}/seed=0", "translation")
        tokens = scalars(f"{of}/seed=0", "token_calibration")
        assert float(row["BLEU"]) == text["bleu"]
        assert float(row["NLL"]) == tokens["nll"]
        assert float(row["ECE"]) == tokens["ece"]
        assert float(row["ECE at T"]) == tokens["ece_scaled"]
    page = page_of(folder)
    assert "Of Ein, einem, und, seed 0" in page
    assert "BLEU is cased, sacreBLEU's nrefs:1|case:mixed|" in page
    # The committed records are from before the sentences were counted.
    (test,) = rows(folder, "bootstrap")
    scores = [float(test[f"the {of}'s score"]) for of in ("baseline", "system")]
    rise = scores[1] - scores[0]
    assert float(test["difference"]) == pytest.approx(rise, abs=1e-12)
    assert test["p"] == "no counts kept"
    assert "alpha = 0.1 less alpha = 0, seed 0: no paired test: a rec" in page


def numbers(alpha, seed, wrong):
    """A run of the numbers' Transformer that gets some sentences wrong."""
    references = [f"wort {n} steht hier vor {n + 1}" for n in range(12)]
    texts = [
        "wort steht" if n in wrong else text
        for n, text in enumerate(references)
    ]
    return Need("transformer_numbers", {"alpha": alpha}, seed), {
        "translated": (texts, references)
    }


@pytest.mark.parametrize("seeds", [1, 2])
def test_translations_are_tested_against_those_of_the_first_row(
    compare, tmp_path, seeds
):
    counts = {}
    for alpha, wrong in ((0.0, {1, 4, 7}), (0.1, {3}), (0.2, {1, 4, 7})):
        for seed in range(seeds):
            need, changed = numbers(alpha, seed, wrong)
            write(tmp_path / "runs", need, changed=changed)
        counts[alpha] = bleu.scores(*changed["translated"])
    folder = compare(
        "--experiment=transformer_numbers",
        "--vary=alpha:0,.1,.2",
        f"--vary=seed:0..{seeds - 1}",
        f"--runs_dir={tmp_path / 'runs'}",
    )
    found = rows(folder, "bootstrap")
    assert [(r["baseline"], r["system"], r["seed"]) for r in found] == [
        ("alpha = 0", f"alpha = {alpha}", str(seed))
        for alpha in ("0.1", "0.2")
        for seed in range(seeds)
    ]
    assert {r["score"] for r in found} == {"BLEU, cased"}
    better, same = found[0], found[-1]
    test = translation_bootstrap.paired(
        "bleu",
        counts[0.0].counts["bleu"],
        counts[0.1].counts["bleu"],
        counts[0.0].signatures["bleu"],
    )
    assert float(better["p"]) == test.p_value
    assert float(better["difference, 95 % from"]) == test.difference.low
    assert float(better["difference"]) == pytest.approx(test.difference.score)
    assert (float(same["p"]), float(same["difference"])) == (1, 0)
    page = page_of(folder)
    said = "seed 0, BLEU, cased: alpha = 0.2 less alpha = 0: +0.00 (95 % inter"
    assert said in page
    assert ("noise of training" in page) == (seeds == 1)


def test_a_tiny_difference_is_not_shown_as_none(compare, tmp_path):
    for alpha, nll in ((0.0, 0.25), (0.1, 0.25 - 2e-6)):
        need = Need("fc_digits", {"alpha": alpha})
        write(tmp_path / "runs", need, changed={"nll": nll})
    page = page_of(compare(f"--runs_dir={tmp_path / 'runs'}"))
    assert "NLL is lower: difference −2e-06 in 1 of 1 seed." in page


def test_one_row_alone(compare):
    folder = compare("--experiment=fc_mnist", f"--runs_dir={RUNS}")
    (row,) = rows(folder, "scores")
    assert row["network"] == "fc_mnist"
    assert (
        float(row["ECE"]) == scalars(f"{SMOOTHED}/seed=0", "reliability")["ece"]
    )
    assert "What differs" not in page_of(folder)


def test_the_missing_runs_are_the_product_and_what_all_rows_change(
    compare, monkeypatch
):
    wanted = []

    def make(identities, machine, **how):
        wanted.extend(identity.folder for identity in identities)

    monkeypatch.setattr(sweep, "make_missing", make)
    monkeypatch.setattr(execute, "run", None)
    said = compare(
        "--experiment=fc_digits",
        "--vary=model.options.hidden:(8,8),(16,16)",
        "--vary=alpha:0,.2",
        "--set=train.steps=9",
        "--run_missing",
        code=2,
    )
    assert wanted == [
        f"fc_digits/alpha={alpha},model.options.hidden={hidden},"
        "train.steps=9/seed=0"
        for hidden in ("8x8", "16x16")
        for alpha in ("0", "0.2")
    ]
    assert "4 of 4 runs missing or unfinished" in said


def test_rows_are_named_by_the_fields_of_the_comparison():
    chosen = comparing.of_experiment(
        "fc_digits_student",
        ["teacher.changes.alpha:0,.1", "seed:0..1"],
        changed={},
        seed=None,
        smoke=True,
    )
    assert [len(group) for group in chosen.groups] == [2, 2]
    assert chosen.fields == ("teacher.changes.alpha",)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([MNIST[0], "--vary=alhpa:0,.1"], "no field 'alhpa'; existing: "),
        ([MNIST[0], "--vary=alpha:0,x"], "alpha: wanted a finite number, got"),
        ([MNIST[0], "--vary=alpha"], "--vary: wanted FIELD:VALUE,VALUE,..."),
        ([MNIST[0], "--vary=:1"], "--vary: wanted FIELD:VALUE,VALUE,..."),
        ([MNIST[0], "--vary=seed:0,x"], "--vary: wanted whole seeds, got 'x'"),
        ([MNIST[0], "--vary=seed:0..99999"], "--vary: wanted 10000 runs or f"),
        (
            [MNIST[0], "--vary=alpha:0,.1", "--alpha=0"],
            "--vary: 'alpha' is varied and set",
        ),
        ([MNIST[0], "--vary=alpha:0,0.0"], "--vary: run .* stands twice"),
        (["--experiment=fc_mnits"], "no experiment 'fc_mnits'; existing: "),
        ([MNIST[1]], "--report=compare: --vary goes with --experiment=NAME"),
        (["--alpha=0"], "--report=compare: --alpha goes with --experiment=N"),
        ([MNIST[0], "--stack=seed:0,1"], "--stack goes with --experiment onl"),
        ([MNIST[0], "--runs=x"], "--experiment goes without --runs"),
        (["--runs=x", "--run_missing"], "--run_missing goes without --runs"),
        (["--runs="], "--runs: wanted FOLDER,FOLDER,..., got ''"),
        (["--runs=nowhere"], "--runs: nowhere is no run: wanted a folder wi"),
        ([f"--runs={RUNS}"], "is no run: wanted a folder with run.json"),
        (
            [f"--runs={RUNS / HARD},{RUNS / TEXT / 'paper'}"],
            r"one task to compare, got \S+ \(classification\) and \S+ \(trans",
        ),
    ],
    ids=lambda x: " ".join(x)[-60:] if isinstance(x, list) else "",
)
def test_bad_input_is_one_line(compare, flags, says):
    assert re.search(says, compare(*flags, code=2))


@pytest.mark.parametrize(
    ("others", "differ"),
    [
        (SMOOTHED, "alpha"),
        (
            "fc_mnist_dropout/paper",
            "model.options.dropout_rate, model.options.input_dropout_rate",
        ),
        ("fc_mnist/alpha=0,train.epochs=1", "train.epochs"),
    ],
)
def test_a_row_of_unlike_runs_is_refused_and_not_averaged(
    compare, tmp_path, others, differ
):
    shutil.copytree(RUNS / HARD / "seed=1", tmp_path / "mine/seed=1")
    shutil.copytree(RUNS / others / "seed=0", tmp_path / "mine/seed=0")
    assert (
        "--runs: mine: wanted runs that differ in the seed alone, got seed=0 "
        f"and seed=1, which differ in {differ}; name them"
    ) in compare("--runs=mine", code=2)


def of_data(folder, sha256):
    """Rewrites a record from before digests: as of that copy of its data."""
    file = folder / "run.json"
    run = json.loads(file.read_text())
    used = {"examples": 60_000, "left_out": {}, "sha256": sha256}
    file.write_text(json.dumps(run | {"data": {"train": used}}))


def test_seeds_of_one_network_on_other_data_are_no_row(compare, tmp_path):
    for seed, copy in ((0, "e"), (1, "f")):
        shutil.copytree(
            RUNS / HARD / f"seed={seed}", tmp_path / f"a/seed={seed}"
        )
        of_data(tmp_path / f"a/seed={seed}", 64 * copy)
    assert re.search(
        r"wanted runs on the same data, got \S+seed=0 and \S+seed=1: mnist "
        "train had the SHA-256 eeeeeeeeeeee in the one and ffffffffffff in",
        compare("--runs=a", code=2),
    )


def test_runs_of_a_page_on_other_data_are_refused(compare, tmp_path):
    flags = MNIST[0], "--vary=alpha:0,.1"
    for of in (HARD, SMOOTHED):
        folder = tmp_path / "runs" / of / "seed=0"
        shutil.copytree(RUNS / of / "seed=0", folder)
        of_data(folder, 64 * "e")
    compare(*flags)
    shutil.rmtree(tmp_path / "reports")
    of_data(folder, 64 * "f")
    assert "wanted runs on the same data, got" in compare(*flags, code=2)


def test_long_tails_of_two_seeds_are_other_data_and_no_matter(compare):
    folder = compare(f"--runs={RUNS / 'tail_mnist/paper'}")
    assert rows(folder, "scores")[0]["seeds"] == "3"


@pytest.mark.parametrize("by", ["runs", "vary"])
def test_a_seed_without_a_measurement_is_left_out_of_no_mean(
    compare, tmp_path, by
):
    for seed in (0, 1):
        folder = f"{SMOOTHED}/seed={seed}"
        shutil.copytree(RUNS / folder, tmp_path / "runs" / folder)
    # Of a record from before digests, by which another's loss is seen.
    lost = tmp_path / f"runs/{SMOOTHED}/seed=1/measurements"
    (lost / "reliability_report.json").unlink()
    flags = {
        "runs": [f"--runs=runs/{SMOOTHED}"],
        "vary": [MNIST[0], "--vary=seed:0..1"],
    }
    assert "seed=1 has no measurement reliability_report; existing: class" in (
        compare(*flags[by], code=2)
    )


def test_an_unfinished_run_is_refused(compare, tmp_path):
    shutil.copytree(RUNS / HARD / "seed=0", tmp_path / "mine")
    file = tmp_path / "mine/run.json"
    run = json.loads(file.read_text())
    file.write_text(json.dumps(run | {"outcome": "stopped", "step": 1200}))
    said = compare("--runs=mine", code=2)
    assert "mine is not finished: its outcome is 'stopped', at step 1,200" in (
        said
    )


@pytest.mark.parametrize("flag", ["--vary=alpha:0,.1", "--runs=x"])
def test_other_reports_choose_their_own_runs(capsys, flag):
    assert cli.main(["x", "--report=quick_tour", flag]) == 2
    name = flag.partition("=")[0]
    assert capsys.readouterr().err == (
        f"ls_tf: {name} goes with --report=compare only\n"
    )
