"""The tests of a file share its fixtures, which one process makes once."""

import os

import pytest


@pytest.mark.skipif(
    "PYTEST_XDIST_WORKER" not in os.environ, reason="there is one process"
)
def test_a_file_without_groups_of_its_own_is_one(request):
    assert request.node.nodeid.endswith(f"@{__file__}")
