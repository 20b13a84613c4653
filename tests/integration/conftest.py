"""One command line for each test, or one shared by a module's tests."""

import pytest
from command_line import Line


@pytest.fixture
def line(tmp_path):
    return Line(tmp_path)


@pytest.fixture(scope="module")
def shared_line(tmp_path_factory):
    return Line(tmp_path_factory.mktemp("line"))
