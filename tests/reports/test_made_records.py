"""The made-up records of these tests are like those that runs write.

What a report wants of a record, and only made-up ones have, is lost without a
word where it is built from real ones.
"""

import functools
import pathlib

import made_records
import pytest

from ls_tf.records import runs
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

REAL = str(pathlib.Path(__file__).parents[2] / "results/runs")


@functools.cache
def recorded():
    """Experiment -> a run of a report that has a committed record."""
    found = {}
    for name in registry.names("ls_tf.reports"):
        for need in getattr(
            registry.get("ls_tf.reports", name), "REQUIRES", ()
        ):
            if need.experiment in found:
                continue
            if runs.find(REAL, identity(need)) is not None:
                found[need.experiment] = need
    return found


def identity(need):
    return resolve(need.experiment, changed=need.changes, seed=need.seed)


@pytest.fixture(scope="module", params=sorted(recorded()))
def pair(request, tmp_path_factory):
    """A made-up record, and the real one of the same run."""
    need = recorded()[request.param]
    folder = tmp_path_factory.mktemp("made")
    made_records.write(folder, need)
    return [runs.find(str(f), identity(need)) for f in (folder, REAL)]


def measured(record):
    return [name.rsplit("_", 1) for name in record.existing()]


def test_what_is_made_up_is_measured_by_runs(pair):
    made, real = pair
    for where in measured(made):
        assert where in measured(real)
        one, other = (r.measurement(*where) for r in pair)
        assert one["scalars"].keys() <= other["scalars"].keys(), where


def test_made_up_arrays_are_of_the_shapes_of_real_ones(pair):
    made, real = pair
    for evaluator, role in measured(made):
        folder = made.path / "measurements"
        if not (folder / f"{evaluator}_{role}.npz").exists():
            continue
        arrays, others = (r.arrays(evaluator, role) for r in pair)
        assert arrays.keys() <= others.keys()
        for name, array in arrays.items():
            other = others[name]
            kinds = (array.dtype.kind, other.dtype.kind)
            assert (kinds[0], array.ndim) == (kinds[1], other.ndim), name


def test_each_kind_of_row_of_real_metrics_is_made_up_too(pair):
    """Of what is made up: what real rows have together, and what apart."""
    made, real = (record.metrics() for record in pair)
    columns = {name for row in made for name in row}
    assert columns <= {name for row in real for name in row}
    kinds = {frozenset(row.keys() & columns) for row in real}
    assert kinds - {frozenset(["step"])} <= {frozenset(row) for row in made}
