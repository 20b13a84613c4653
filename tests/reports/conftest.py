"""Stored records for the runs of a report, and reports built of them."""

import pathlib

import pytest
from made_records import write

from ls_tf.pages import builder, canvas
from ls_tf.records import files
from ls_tf.spec import registry


@pytest.fixture(autouse=True)
def no_disk(monkeypatch):
    """Thousands of records are made up here, and none outlives its test."""
    monkeypatch.setattr(files, "sync", lambda path: None)


@pytest.fixture
def store(tmp_path):
    """Writes the records of needs below tmp_path/runs; gives that folder."""

    def write_all(needs, *, optional=False, changed=None, smoke=False):
        folder = tmp_path / "runs"
        for need in needs:
            if optional or not need.optional:
                found = changed(need) if changed else None
                write(folder, need, smoke=smoke, changed=found)
        return str(folder)

    return write_all


@pytest.fixture
def quick(monkeypatch):
    """Draws pictures but does not render them, which takes most of the time."""
    monkeypatch.setattr(canvas, "png", lambda figure: b"")
    monkeypatch.setattr(canvas, "pdf", lambda figure: b"")


@pytest.fixture
def built(store, tmp_path):
    """Builds a report from those of its runs that ``wanted`` picks."""

    def build(name, wanted=lambda need: True, **options):
        made = registry.get("ls_tf.reports", name)
        needs = [need for need in made.REQUIRES if wanted(need)]
        page = builder.build(
            name,
            made,
            runs_dir=store(needs, optional=True, **options),
            reports_dir=str(tmp_path / "reports"),
        )
        return pathlib.Path(page).parent

    return build
