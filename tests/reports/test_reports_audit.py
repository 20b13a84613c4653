"""The audit of the replication, from made-up records: all, some and none."""

import numpy as np
import pytest
from built_pages import page_of, rows

from ls_tf.reports import replication_audit as audit

PADDING = "Multi30k: ECE and accuracy count padding"


def effects(folder):
    return [
        (r["the code"], r["effect, ours"], r["command"])
        for r in rows(folder, "audit")
    ]


def no_text(need):
    """What made-up records have everything for."""
    return need.experiment in ("fc_mnist", "fc_mnist_dropout")


def test_without_a_run_only_what_is_derived_has_an_effect(built):
    folder = built("replication_audit", lambda need: False)
    found = effects(folder)
    derived = [e for e in found if e[1] != "not measured"]
    assert len(derived) == 10
    # 1,246 and 205 epochs of 391 steps.
    assert derived[0][1].startswith("487,186 and 80,155 steps")
    for _, effect, command in found:
        assert (effect == "not measured") == command.startswith("python run")
    assert "10 of 32 have an effect" in page_of(folder)


def test_the_spread_over_seeds_by_hand(quick, built):
    found = effects(built("replication_audit", no_text))
    (spread,) = [e for code, e, _ in found if code.startswith("error bands")]
    # Errors of alpha 0: .0069 + .002 + .0002 seed; of 0.1 without the .002.
    p = 0.0069 + 0.002 + 0.0002
    binomial = 100 * np.sqrt(p * (1 - p) / 10_000)
    assert f"alpha 0: binomial {binomial:.3f} points, over 3 seeds 0.020" in (
        spread
    )
    (dropout,) = [e for code, e, _ in found if "has dropout" in code]
    # Means over seeds of .0081 and .0089, and .0002 for the seeds.
    assert dropout == (
        "error, 3 seeds: with dropout 0.83 %, without 0.91 % (+0.08)"
    )
    (variance,) = [e for code, e, _ in found if "standard deviation" in code]
    assert variance == (
        "error: deviation, 2 epochs 0.79 %, variance, 2 epochs 0.89 % (+0.10)"
    )


def test_a_difference_is_of_the_seeds_that_both_have(quick, built):
    def wanted(need):
        seeds = (0, 1) if need.experiment == "fc_mnist_dropout" else (1, 2)
        return no_text(need) and need.seed in seeds

    found = effects(built("replication_audit", wanted))
    (dropout,) = [e for code, e, _ in found if "has dropout" in code]
    # Of seed 1: .0081 + .0002 and .0089 + .0002.
    assert dropout == "error: with dropout 0.83 %, without 0.91 % (+0.08)"


def test_without_a_common_seed_the_command_is_said(quick, built):
    def wanted(need):
        seed = int(need.experiment == "fc_mnist_dropout")
        return no_text(need) and need.seed == seed

    found = effects(built("replication_audit", wanted))
    (dropout,) = [e for e in found if "has dropout" in e[0]]
    assert dropout[1] == "not measured"
    assert dropout[2] == (
        "python run_experiment.py --experiment=fc_mnist_dropout --seed=0"
    )


def test_resnets_of_the_replication_by_hand(quick, built):
    accuracies = {
        "data.augmentation": 0.79,
        "model.options.stem_kernel": 0.815,
    }

    def changed(need):
        (other,) = need.changes.keys() - {"alpha"} or ["none"]
        return {"accuracy": accuracies.get(other, 0.8)}

    found = effects(
        built(
            "replication_audit",
            lambda need: (
                "resnet20" in need.experiment
                and "train.precision" not in need.changes
            ),
            changed=changed,
        )
    )
    (crops,) = [e for code, e, _ in found if "crops of 24 x 24" in code]
    assert crops == "accuracy: as M 80.00 %, 24 x 24 79.00 % (−1.00)"
    (stem,) = [e for code, e, _ in found if "filters are 7 x 7" in code]
    assert stem == "accuracy: as M 80.00 %, 7 x 7 81.50 % (+1.50)"


def test_padding_and_temperatures_by_hand(quick, built):
    found = effects(
        built(
            "replication_audit",
            lambda need: "multi30k" in need.experiment,
        )
    )
    (padding,) = [e for code, e, _ in found if code == PADDING]
    assert padding == (
        "alpha 0: ECE 0.060 without padding, 0.450 with it (54.0 % of the "
        "positions); accuracy 70.0 and 30.0 %; alpha 0.1: ECE 0.010 without "
        "padding, 0.350 with it (54.0 % of the positions); accuracy 70.0 and "
        "30.0 %"
    )
    (its,) = [e for _, e, _ in found if e.startswith("its network, alpha 0: E")]
    assert its == padding.replace("alpha", "its network, alpha")
    (over,) = [e for code, e, _ in found if "softmax of the NLL" in code]
    # 2.5 + 0.1 x at x = 0; 1.2 + 0.2 / 4.
    assert over == (
        "at T = 1: 2.500 nats over positions, 1.250 over the vocabulary"
    )
    hidden, its, beam = (
        e for _, e, _ in found if "greedy translations" in e or "beam of 4" in e
    )
    assert hidden == (
        "T from 0.5 to 2 changes 30.0 % of the greedy translations and BLEU "
        "by 2.00"
    )
    moves = "with a beam of 4, T from 0.5 to 2 moves it"
    moved = "alpha 0: by 9.00 BLEU; alpha 0.1: by 4.00 BLEU"
    assert beam == f"{moves} ({moved})"
    assert its == f"{moves} ({moved.replace('alpha', 'its network, alpha')})"
    (glued,) = [e for code, e, _ in found if "spaCy's tokens" in code]
    # "a b c d e f.": the fourth root of 1 / 7.
    assert "gets: 61.5 in place of 100" in glued


def test_every_run_is_optional_and_resolves():
    assert all(need.optional for need in audit.REQUIRES)
    assert {n.seed for n in audit.REQUIRES} == {0, 1, 2}


@pytest.mark.parametrize("point", audit._POINTS, ids=lambda p: p.code[:30])
def test_a_point_names_what_is_missing(point):
    commands = point.commands({})
    assert commands.count("run_experiment.py") == len(point.runs)
