"""Short in the ordinary test run, long by hand: --faults=long.

The long form writes its figures: each test adds what it saw to the file of its
module, results/faults/MODULE.json, and the tables of docs/reliability.md are
made of those files.
"""

import pathlib

import figures as kept
import pytest
from harness import FaultyLine


def pytest_collection_modifyitems(config, items):
    here = pathlib.Path(__file__).parent
    left_out = []
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.faults)
            if _is_left_out(item, config):
                left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _is_left_out(item, config):
    long_form = config.getoption("--faults") == "long"
    return item.get_closest_marker("long") is not None and not long_form


@pytest.fixture(scope="session")
def is_long(request):
    """Whether this is the long form."""
    return request.config.getoption("--faults") == "long"


@pytest.fixture
def line(tmp_path):
    return FaultyLine(tmp_path / "line")


@pytest.fixture
def figures(request, is_long):
    """Adds figures of this test to those of its module, in the long form."""
    module = request.path.stem.removeprefix("test_")

    def add(case, **values):
        if is_long:
            kept.add(module, case, values)

    return add


def pytest_sessionfinish(session):
    """The tables of the page follow the figures of the long form."""
    is_worker = hasattr(session.config, "workerinput")
    if session.config.getoption("--faults") == "long" and not is_worker:
        kept.main()
