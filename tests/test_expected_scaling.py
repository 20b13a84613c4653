"""The arithmetic of many accelerators, against hand values."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def expected():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import _expected
    finally:
        del sys.path[0]
    return _expected


@pytest.fixture
def network(expected):
    return expected.Network("made", 1_000_000, 5e9, 800)


@pytest.fixture
def accelerator(expected):
    return expected.Accelerator("made", 1e12, 1e9, share=0.5, hop_seconds=1e-3)


def test_a_step_of_eight_devices(expected, network, accelerator):
    # 100 images of three passes of 1e10 operations, at 5e11 a second.
    compute = expected.compute_seconds(network, accelerator, 8)
    assert compute == pytest.approx(6.0)
    # 7/8 of 4 MB twice, at 1 GB/s, and three levels of a tree twice.
    reduce = expected.reduce_seconds(network, accelerator, 8)
    assert reduce == pytest.approx(7e-3 + 6e-3)
    assert expected.efficiency(network, accelerator, 8) == pytest.approx(
        6 / 6.013
    )


def test_one_device_waits_for_nobody(expected, network, accelerator):
    assert expected.reduce_seconds(network, accelerator, 1) == 0
    assert expected.efficiency(network, accelerator, 1) == 1


def test_the_page_shows_the_arithmetic(expected):
    page = (ROOT / "docs" / "accelerators.md").read_text("utf-8")
    assert f"\n{expected.markdown()}\n" in page
    assert [row[1] for row in expected.rows()] == ["8", "64", "512"] * 2
