"""Data of the user's own is refused before an engine is loaded."""

import numpy as np
import pytest

from ls_tf import cli
from ls_tf.running import session, sweep

DIGITS = "--experiment=fc_digits"
IMAGES = np.zeros((6, 8, 8), np.uint8)
LABELS = np.arange(6) % 3


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Runs the command line; an engine must not be started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)

    class Session:
        def __init__(self, *_):
            raise AssertionError("an engine was started")

    monkeypatch.setattr(session, "Session", Session)
    monkeypatch.setattr(sweep, "Session", Session)

    def run(name, source, *flags):
        chosen = (f"--set=data.name={name}", f"--set=data.source={source}")
        code = cli.main(["x", *chosen, *flags])
        assert code == 2
        lines = capsys.readouterr().err.splitlines()
        assert not (tmp_path / "runs").exists()
        return lines[-1]

    return run


def test_what_is_not_there(refused, tmp_path):
    (tmp_path / "dd").mkdir()
    for name, source, says in (
        ("npz", "no.npz", "there is no file no.npz"),
        ("image_folder", "no", "wanted a folder, no is not there"),
        ("tfds", "kmnst", "TFDS has no data set 'kmnst'; near it: kmnist"),
    ):
        assert says in refused(name, source, DIGITS, "--data_dir=dd")


def test_splits_and_arrays_that_are_not_there(refused):
    np.savez(
        "a.npz", x_train=IMAGES, y_train=LABELS, x_val=IMAGES, y_val=LABELS
    )
    said = refused("npz", "a.npz", DIGITS)
    assert "exist: train (6), validation (6)" in said
    np.savez("a.npz", x_train=IMAGES)
    assert "y_train, got x_train alone" in refused("npz", "a.npz", DIGITS)
    # A teacher that would be trained first, and the runs of a page.
    student = ("--experiment=fc_digits_student", "--run_missing")
    teacher = [
        f"--set=teacher.changes.data.{name}" for name in ("name", "source")
    ]
    told = (f"{teacher[0]}=npz", f"{teacher[1]}=b.npz")
    assert "no file b.npz" in refused("npz", "a.npz", *student, *told)
    page = ("--report=compare", "--vary=alpha:0,.1", "--run_missing")
    assert "got x_train alone" in refused("npz", "a.npz", DIGITS, *page)


def test_a_corpus_without_a_file(refused, tmp_path):
    for base in ("train", "test"):
        (tmp_path / f"my.{base}.en").write_text("a\n")
    translation = "--experiment=transformer_numbers"
    said = refused("parallel_files", "my", translation)
    assert "no files my.train.en and my.train.de" in said or (
        "no file my.train.de (for split 'train')" in said
    )
