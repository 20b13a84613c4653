"""Reports of label noise: the exact ones by printed values, others by hand."""

import numpy as np
import pytest

from ls_tf.analysis import label_noise
from ls_tf.pages import canvas
from ls_tf.pages.blocks import Picture, Table
from ls_tf.pages.tables import spelled
from ls_tf.records.runs import Record
from ls_tf.spec import registry


class Run:
    """What these reports read of a record."""

    curve = Record.curve

    def __init__(self, nll, accuracy, rows=()):
        self.values = {
            "nll": nll,
            "accuracy": accuracy,
            "error": 1 - accuracy,
        }
        name = "report/accuracy"
        self.rows = [{"step": i, name: v} for i, v in enumerate(rows)]

    def scalars(self, evaluator, role):
        assert (evaluator, role) == ("classification", "report")
        return self.values

    def metrics(self):
        return [{"step": 0, "train/loss": 1.0}, *self.rows]


def records(name, make, seeds=(0,), experiment="noise_mnist_narrow"):
    """A run for each need that ``make`` gives one, of a, p and seed."""
    found = {}
    for need in registry.get("ls_tf.reports", name).REQUIRES:
        if need.experiment == experiment and need.seed in seeds:
            a, p = (
                need.changes[k] for k in ("data.label_kept", "loss.options.p")
            )
            run = make(a, p, need.seed)
            if run is not None:
                found[need] = run
    return found


def blocks(name, of=None):
    made = list(registry.get("ls_tf.reports", name).build(of or {}))
    tables = {b.name: b for b in made if isinstance(b, Table)}
    pictures = {b.name: b.figure for b in made if isinstance(b, Picture)}
    return tables, pictures


def by_rate(table):
    return {
        row[0]: dict(zip(table.headings, row, strict=True))
        for row in table.rows
    }


def judged(tables):
    return [claim["holds"] for claim in dicts(tables["claims"])]


def test_the_landscapes_of_two_classes():
    tables, pictures = blocks("g_fig1")
    rows = by_rate(tables["best"])
    assert rows[0.9]["loss, alpha, M = 2"] == pytest.approx(0.32508, abs=5e-6)
    assert rows[0.9]["loss, beta, M = 2"] == pytest.approx(0.47139, abs=5e-6)
    alpha, beta, gamma, bar = pictures["landscapes"].axes
    assert bar.get_ylabel() == "loss, nats"
    shown = alpha.collections[0].get_array().reshape(101, 101)
    p, a = 0.7, 0.2
    expected = -a * np.log(p) - (1 - a) * np.log(1 - p)
    assert shown[70, 20] == pytest.approx(expected)
    # Dark with a white edge: alpha has one best p, gamma two.
    lines = [len(axes.lines) for axes in (alpha, beta, gamma)]
    assert lines == [1, 1, 2]
    upper, lower = gamma.lines[0].get_ydata(), gamma.lines[1].get_ydata()
    np.testing.assert_allclose(upper + lower, 1)


def test_the_best_p_of_three_types():
    tables, pictures = blocks("g_fig2")
    rows = by_rate(tables["best"])
    assert rows[0.8]["best p, gamma, M = 2"] == pytest.approx(0.835, abs=5e-4)
    (axes,) = pictures["best_p"].axes
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert curves["alpha type"][350] == pytest.approx(0.7)
    assert curves["beta type"][450] == pytest.approx(0.82)
    assert curves["gamma type"][370] == 0.5


def test_beta_over_the_square():
    tables, pictures = blocks("g_fig3")
    (axes,) = pictures["best_p"].axes
    assert len(axes.lines) == 6
    row = by_rate(tables["over_square"])[0.7]
    assert row["M = 10"] == pytest.approx(0.3**2 / 9)


def test_the_jumps_of_gamma():
    tables, pictures = blocks("g_fig4")
    jumps = {row[0]: row[1:] for row in tables["jumps"].rows}
    assert jumps[10] == pytest.approx((0.47682, 0.1, 0.4827), abs=6e-5)
    (axes,) = pictures["best_p"].axes
    curve = axes.lines[3].get_ydata()  # M = 10, a in steps of .002
    assert curve[238] == pytest.approx(0.1)
    assert curve[239] > 0.48


def test_the_landscape_of_ten_classes():
    tables, pictures = blocks("g_fig5_theory")
    row = by_rate(tables["best"])[0.8]
    assert row["loss, alpha, M = 10"] == pytest.approx(0.93985, abs=5e-6)
    line = pictures["landscape"].axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), line.get_xdata())


LABEL = "MNIST LeNet 10/20/50, steps / 10"


def dicts(table, label=LABEL):
    """The rows of one network, as dicts."""
    headings, values = spelled(table)
    rows = [dict(zip(headings, row, strict=True)) for row in values]
    return [row for row in rows if row.get("network", label) == label]


def as_gamma(a, p, seed):
    """A network that loses what the gamma type says, at p = 1 what at .99."""
    loss = float(label_noise.loss("gamma", min(p, 0.99), a, 10))
    return Run(loss + 0.001 * seed, 0.9 - abs(p - 0.3) / 10)


def test_the_measured_map_beside_the_theory():
    def make(a, p, seed):
        return None if (a, p) == (0.5, 0.1) else as_gamma(a, p, seed)

    tables, pictures = blocks("g_fig5", records("g_fig5", make, (0, 1)))
    losses = {row["p"]: row for row in dicts(tables["losses"])}
    expected = float(label_noise.loss("gamma", 0.6, 0.8, 10)) + 0.0005
    assert losses[0.6]["a = 0.8"] == pytest.approx(expected)
    assert losses[0.1]["a = 0.5"] == "no run"
    minima = {row["a"]: row for row in dicts(tables["minima"])}
    # The gamma type's best p of .95 there, and of .5995 here.
    assert minima[0.8]["best p, measured"] == 0.95
    assert minima[0.5]["best p, measured"] == 0.6
    assert minima[0.8]["rank, gamma"] == pytest.approx(1)
    assert minima[0.8]["rank, gamma"] > minima[0.8]["rank, alpha"]
    assert minima[0.8]["best p, alpha"] == 0.8
    assert list(pictures) == ["losses_noise_mnist_narrow"]
    left, right, _ = pictures["losses_noise_mnist_narrow"].axes
    circles = right.lines[0].get_ydata()
    assert circles[7] == 0.95 and right.get_title() == LABEL
    shown = right.collections[0].get_array().reshape(11, 10)
    assert shown.mask.sum() == 1 and bool(shown.mask[0, 4])
    assert left.get_title() == "alpha type, M = 10"


def test_slices_mark_what_is_lowest():
    tables, pictures = blocks("g_fig6", records("g_fig6", as_gamma))
    figure = pictures["slices_noise_mnist_narrow"]
    panels = figure.axes
    assert [axes.get_title() for axes in panels] == [
        "a = 0.5", "a = 0.8", "a = 0.95",
    ]  # fmt: skip
    measured = panels[1].lines[6]
    assert len(measured.get_xdata()) == 20
    ring = panels[1].lines[7]
    assert ring.get_xdata()[0] == 0.95
    # Theory: alpha's lowest at a.
    assert panels[1].lines[1].get_xdata()[0] == pytest.approx(0.8, abs=3e-3)
    (row,) = [r for r in dicts(tables["minima"]) if r["a"] == 0.95]
    assert row["best p, measured"] == 1.0


def test_noisy_test_labels_are_runs_of_their_own():
    needs = registry.get("ls_tf.reports", "g_fig7").REQUIRES
    assert {n.changes["data.noisy_labels"] for n in needs} == {"all"}
    assert {n.changes["data.label_kept"] for n in needs} == {0.5, 0.95}

    def make(a, p, seed):
        return Run(float(label_noise.loss("beta", min(p, 0.99), a, 10)), 0.5)

    tables, _ = blocks("g_fig7", records("g_fig7", make))
    minima = {row["a"]: row for row in dicts(tables["minima"])}
    assert minima[0.5]["best p, measured"] == 0.3  # beta's .2778
    assert minima[0.95]["best p, measured"] == 0.9  # .9028


def test_accuracy_wants_another_p_than_the_loss():
    tables, pictures = blocks("g_fig8", records("g_fig8", as_gamma, (0, 1)))
    row = {r["a"]: r for r in dicts(tables["best"])}[0.8]
    assert row["best p, loss"] == 0.95 and row["best p, accuracy"] == 0.3
    claim = dicts(tables["claims"])[0]
    assert claim["holds"] == "yes" and claim["seeds"] == 2
    assert claim["lower"] == pytest.approx(0.3)
    axes = pictures["best_noise_mnist_narrow"].axes[0]
    assert len(axes.lines) == 5


def test_early_stopping_takes_the_best_of_the_training():
    def make(a, p, seed):
        run = as_gamma(a, p, seed)
        return Run(run.values["nll"], 0.5, (0.4, 0.75, 0.6))

    tables, pictures = blocks("g_fig9", records("g_fig9", make, (0, 1)))
    early = {row["p"]: row for row in dicts(tables["early"])}
    assert early[0.5]["a = 0.5"] == pytest.approx(75)
    final = {row["p"]: row for row in dicts(tables["accuracy"])}
    assert final[0.5]["a = 0.5"] == pytest.approx(50)
    assert judged(tables) == ["yes", "yes"]
    assert "maps_noise_mnist_narrow" in pictures
    # Of one seed nothing is known of noise: it is counted.
    tables, _ = blocks("g_fig9", records("g_fig9", make))
    assert judged(tables) == ["yes", "yes"]
    assert {row["seeds"] for row in dicts(tables["claims"])} == {1}


def test_a_claim_about_the_types_can_fail():
    def make(a, p, seed):
        return Run(float(label_noise.loss("alpha", min(p, 0.99), a, 10)), 0.5)

    tables, _ = blocks("g_fig9", records("g_fig9", make, (0, 1)))
    first = dicts(tables["claims"])[0]
    assert first["claim"].endswith("than the alpha type's")
    assert first["holds"] == "no" and first["higher"] < 0.02


def test_minima_of_the_error_are_counted():
    def make(a, p, seed):
        return Run(1.0, 0.9 + 0.02 * (p == 0.25) + 0.03 * (p == 1) + 0.002 * p)

    tables, pictures = blocks("g_fig10", records("g_fig10", make))
    row = dicts(tables["minima"])[0]
    assert row["minima"] == "0.25 (7.95 %), 1 (6.80 %)"
    assert len(pictures["errors_noise_mnist_narrow"].axes) == 4


def with_every_other(a, p, seed):
    """Runs at the coarse p alone, of one a; two minima of the error."""
    if a != 0.5 or p not in (0.1, 0.2, 0.4, 0.95, 1.0):
        return None
    return Run(1.0, {0.1: 0.1, 0.2: 0.98, 0.4: 0.8, 0.95: 0.5, 1.0: 0.52}[p])


def test_a_curve_goes_through_the_p_that_have_a_run():
    found = records("g_fig10", with_every_other)
    tables, pictures = blocks("g_fig10", found)
    rows = {row["a"]: row for row in dicts(tables["minima"])}
    assert rows[0.5]["minima"] == "0.2 (2.00 %), 1 (48.00 %)"
    assert rows[0.5]["p with a run"] == 5
    assert rows[0.8]["minima"] == "no run" and rows[0.8]["p with a run"] == 0
    lacking, drawn, *_ = pictures["errors_noise_mnist_narrow"].axes
    curve = drawn.lines[0]
    assert list(curve.get_xdata()) == [0.1, 0.2, 0.4, 0.95, 1.0]
    np.testing.assert_allclose(curve.get_ydata(), [90, 2, 20, 50, 48])
    assert [text.get_text() for text in lacking.texts] == ["no run"]
    assert not lacking.axison


def test_a_curve_goes_through_the_a_that_have_runs():
    def make(a, p, seed):
        return Run(1.0, 0.9 + a * (p == 1) / 100) if a in (0.2, 0.7) else None

    _, pictures = blocks("g_fig11", records("g_fig11", make))
    (line,) = pictures["difference_noise_mnist_narrow"].axes[0].lines
    assert list(line.get_xdata()) == [0.2, 0.7]
    np.testing.assert_allclose(line.get_ydata(), [-0.2, -0.7])
    assert line.get_label() == "p = 0.95 less p = 1"


def test_a_map_says_what_goes_beyond_its_colours():
    def losing(most):
        def make(a, p, seed):
            return Run(most if (a, p) == (0.5, 1.0) else a, 0.9)

        return make

    for most, extend in ((4.1, "max"), (3.9, "neither")):
        found = records("g_fig9", losing(most))
        figure = blocks("g_fig9", found)[1]["maps_noise_mnist_narrow"]
        bars = [a for a in figure.axes if hasattr(a, "_colorbar")]
        assert [a._colorbar.extend for a in bars] == [extend, *["neither"] * 2]
        lines = figure.axes[0].lines[1:]
        assert {line.get_color() for line in lines} == {canvas.INK}


def test_equal_errors_side_by_side_are_one_minimum():
    def make(a, p, seed):
        return Run(1.0, 0.9 + 0.03 * (p in (0.3, 0.35, 0.4)))

    tables, _ = blocks("g_fig10", records("g_fig10", make))
    row = dicts(tables["minima"])[0]
    assert row["minima"] == "0.35 (7.00 %)"


def test_weak_smoothing_against_none():
    def make(a, p, seed):
        return Run(1.0, 0.9 + (0.01 if a >= 0.9 else -0.05) * (p == 0.95))

    tables, _ = blocks("g_fig11", records("g_fig11", make, (0, 1, 2)))
    rows = {row["a"]: row for row in dicts(tables["accuracy"])}
    assert rows[0.9]["difference"] == pytest.approx(1)
    assert rows[0.5]["difference"] == pytest.approx(-5)
    assert judged(tables) == ["yes", "yes"]


def test_weak_smoothing_that_the_seeds_do_not_agree_on_is_noise():
    def make(a, p, seed):
        # Points of a = .9 and 1: +1, +1, -1; their interval holds 0.
        return Run(1.0, 0.9 + (p == 0.95) * (0.01 if seed < 2 else -0.01))

    tables, _ = blocks("g_fig11", records("g_fig11", make, (0, 1, 2)))
    assert judged(tables) == ["within noise", "within noise"]
    first = dicts(tables["claims"])[0]
    # Mean 1/3, deviation 2/sqrt(3), t of 2 degrees 4.3027: -2.535 to 3.202.
    ends = [first[f"difference, 95 % {end}"] for end in ("from", "to")]
    assert ends == pytest.approx([-2.535, 3.202], abs=1e-3)


@pytest.mark.parametrize("number", range(5, 12))
def test_a_page_without_any_run_can_be_built(number):
    tables, pictures = blocks(f"g_fig{number}")
    assert not pictures
    for table in tables.values():
        for row in table.rows:
            assert not any(isinstance(v, float) and np.isnan(v) for v in row)


def test_p_are_compared_over_the_seeds_that_all_have():
    # At seed 1, which p = 1 alone has, the loss is low whatever p is.
    def make(a, p, seed):
        if p < 0.9 or (seed == 1 and p != 1) or a not in (0.5, 0.6):
            return None
        if a == 0.6 and p == 1 and seed == 0:  # no seed in common: all of each
            return None
        return Run({0.9: 2.0, 0.95: 1.0, 1.0: 1.5}[p] - 2 * seed, 0.9)

    found = records("g_fig5", make, seeds=(0, 1))
    rows = [
        row
        for row in dicts(blocks("g_fig5", found)[0]["minima"])
        if row["network"].startswith("MNIST LeNet 10/20/50")
    ]
    best = {
        row["a"]: (row["best p, measured"], row["loss there, nats"])
        for row in rows
    }
    assert best[0.5] == (0.95, pytest.approx(1.0))
    assert best[0.6] == (1.0, pytest.approx(-0.5))
