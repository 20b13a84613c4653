"""What a bundle would lack over there is refused here."""

import os
import zipfile

import pytest
import test_merging as records

from ls_tf.bundles import making
from ls_tf.records.runs import RunError
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve


def test_weights_to_start_from_are_not_carried(tmp_path):
    run = resolve(
        "fc_digits", changed={"model.weights": "mine.npz"}, smoke=True
    )
    path, home = tmp_path / "bundle.zip", tmp_path / "runs"

    def bundle():
        return making.bundle(path, [run], runs_dir=str(home), data_dir=None)

    with pytest.raises(
        SpecError, match="starts from model.weights=mine.npz, which a bundle do"
    ):
        bundle()
    assert list(tmp_path.iterdir()) == []
    # Who goes on looks for no such file.
    records.write(home, 2, identity=run)
    assert bundle() == [run.title]


def test_only_a_file_is_replaced(tmp_path, monkeypatch):
    run = resolve("fc_digits", smoke=True)
    monkeypatch.setattr(making, "_key", lambda identity: ())
    monkeypatch.setattr(
        making, "_data", lambda *_: {(): making._Data("d.npz", b"", None, {})}
    )

    def bundle(path):
        making.bundle(path, [run], runs_dir=str(tmp_path / "r"), data_dir=None)

    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    with pytest.raises(SpecError, match="a file, got a pipe, a socket or"):
        bundle(pipe)
    assert pipe.is_fifo()
    (tmp_path / "made.zip").write_bytes(b"old")
    link.symlink_to("made.zip")
    bundle(link)
    assert link.is_symlink() and zipfile.is_zipfile(tmp_path / "made.zip")


def test_a_record_that_changes_while_it_is_read_is_refused(
    tmp_path, monkeypatch
):
    home, path = tmp_path / "runs", tmp_path / "bundle.zip"
    records.write(home, 2)
    read = making.checkpoint_files

    def train_on(folder, step):
        contents = read(folder, step)
        records.write(home, 3)
        return contents

    monkeypatch.setattr(making, "checkpoint_files", train_on)
    with pytest.raises(RunError, match="changed by another process while it"):
        making.bundle(path, [records.RUN], runs_dir=str(home), data_dir=None)
    assert not path.exists()
