"""What of an experiment is changed, and the name of that."""

import itertools
import json
import random
import re

import pytest
from specifications import BASE, random_value

from ls_tf.spec import (
    as_dict,
    changes,
    changes_name,
    digest,
    override,
)


def test_changes_are_what_differs_in_sorted_order():
    found = override(
        BASE,
        {
            "train.steps": 5,
            "seed": 3,
            "alpha": 0.05,
            "learning_rate": 1,  # as it was
            "optimizer.options.nesterov": True,
            "evaluators.1.options.per_class": 7,
        },
    )
    assert list(changes(found, BASE).items()) == [
        ("alpha", 0.05),
        ("evaluators.1.options.per_class", 7),
        ("optimizer.options.nesterov", True),
        ("train.steps", 5),
    ]


def test_no_change_is_the_paper():
    assert changes(BASE, BASE) == {}
    assert changes_name({}) == "paper"


def test_a_first_option_is_one_change():
    found = override(BASE, {"schedule.options.end": 0.1})
    assert changes(found, BASE) == {"schedule.options.end": 0.1}


def test_what_has_no_path_of_its_own_is_changed_as_a_whole():
    path = "optimizer.options.learning_rate_multipliers"
    for value in ({}, {"hidden_1": 0.5}, {"logits": 0.1, "a.b": 1.0}):
        found = override(BASE, {path: value})
        assert changes(found, BASE) == {path: value}
        assert digest(override(BASE, changes(found, BASE))) == digest(found)
    more = override(BASE, {path: {"logits": 0.1, "hidden_1": 0.5}})
    assert changes(more, BASE) == {f"{path}.hidden_1": 0.5}


def test_changes_do_not_depend_on_the_order_of_overrides():
    given = {
        "alpha": 0.2,
        "train.weight_decay": 1e-9,
        "optimizer.options.nesterov": True,
        "model.options.hidden": (4, 4),
    }
    found = set()
    for order in itertools.permutations(given):
        spec = override(BASE, {path: given[path] for path in order})
        found.add((changes_name(changes(spec, BASE)), digest(spec)))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ({"alpha": 0.05}, "alpha=0.05"),
        ({"alpha": 0.0}, "alpha=0"),
        ({"alpha": 1.0, "train.steps": 10}, "alpha=1,train.steps=10"),
        ({"x": 1e-9}, "x=1e-09"),
        ({"x": -0.5}, "x=-0.5"),
        ({"x": None, "y": True}, "x=none,y=true"),
        ({"model.options.hidden": [16, 8]}, "model.options.hidden=16x8"),
        ({"data.train": "train[:9]"}, "data.train=train%5B%3A9%5D"),
        ({"a/b": "../c"}, "a%2Fb=%22..%2Fc%22~"),
        ({"x": []}, "x=%5B%5D~"),
        ({"x": "1x2"}, "x=%221x2%22~"),
        ({"x": "none"}, "x=%22none%22~"),
        ({"x": {"a": 1}}, "x=%7B%22a%22%3A%201%7D~"),
    ],
)
def test_changes_name(found, name):
    made = changes_name(found)
    assert made == name or (name.endswith("~") and made.startswith(name))
    assert (len(made) - len(name)) in (0, 12)


def test_a_long_name_is_cut_and_stays_different():
    found = {f"model.options.option_{i}": i for i in range(20)}
    one, other = changes_name(found), changes_name({**found, "z": 1})
    assert one != other
    assert len(one) == len(other) == 130 + 1 + 12


def test_names_are_safe_and_different_for_different_changes():
    rng = random.Random(1)
    made = {}
    for _ in range(4000):
        names = rng.sample(
            ["alpha", "a.b", "c", "x=y", "ü/~"], rng.randrange(1, 3)
        )
        found = {name: random_value(rng) for name in names}
        name = changes_name(found)
        assert re.fullmatch(r"[A-Za-z0-9_.+=,%~-]{1,160}", name), name
        assert name not in (".", "..", "paper", "smoke")
        # As in the digest: 1 and 1.0 are the same value, 1 and True are not.
        same = json.dumps(as_dict(found), sort_keys=True)
        same = re.sub(r"(?<=[0-9])\.0\b", "", same).replace(
            "1e+17", "1" + 17 * "0"
        )
        assert made.setdefault(name, same) == same
