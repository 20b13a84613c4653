"""Which records the pages of translations are built from."""

import pytest
from translation_records import GRID

from ls_tf.pages import builder
from ls_tf.spec import registry

SMALL = "Multi30k Transformer (substitute)"
SHORT = "Multi30k Transformer"


def load(store, name, wanted, **options):
    made = registry.get("ls_tf.reports", name)
    needs = [need for need in made.REQUIRES if wanted(need)]
    folder = store(needs, optional=True, **options)
    records, *_ = builder._find(name, made, folder, False)
    return records


def small(need):
    return need.experiment == "transformer_multi30k"


def pair(need):
    """Seed 0 of both networks of figure 4."""
    return small(need) and need.seed == 0 and need.changes["alpha"] in (0, 0.1)


def close(word, expected):
    return float(word) == pytest.approx(expected, rel=1e-12)


def hard(need):
    return pair(need) and need.changes["alpha"] == 0


def curve(axes):
    """The lines of a panel that go over the whole grid."""
    return [
        line.get_ydata()
        for line in axes.lines
        if len(line.get_xdata()) == len(GRID)
    ]
