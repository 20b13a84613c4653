"""Experiments on images of the user's own, from the command line."""

import json

import numpy as np
import pytest
from command_line import refusal

from ls_tf.pipeline import usage

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
LABEL = {"train": np.arange(60) % 3, "test": np.arange(48) % 3}
# Brighter by class, so that four steps could learn it.
IMAGE = {
    base: (RNG.integers(0, 60, (len(y), 6, 7)) + 60 * y[:, None, None]).astype(
        np.uint8
    )
    for base, y in LABEL.items()
}


def written(folder, **changed):
    file = folder / "own.npz"
    arrays = {f"x_{b}": v for b, v in IMAGE.items()}
    arrays |= {f"y_{b}": v for b, v in LABEL.items()}
    np.savez(file, **(arrays | changed))
    return file


def flags(file, engine="tensorflow"):
    return (
        *("--experiment=fc_digits", "--smoke", f"--engine={engine}"),
        *("--set=data.name=npz", f"--set=data.source={file}"),
        *("--set=data.calibrate=test[:24]", "--set=data.report=test"),
    )


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_numpy_file_is_trained_on_and_recorded(line, tmp_path, engine):
    said = flags(written(tmp_path), engine)
    line(*said)
    folder = line.folder_of(*said)
    data = json.loads((folder / "run.json").read_bytes())["data"]
    for split, base, part in (
        ("train", "train", slice(None)),
        ("test[:24]", "test", slice(24)),
        ("test", "test", slice(None)),
    ):
        image = IMAGE[base][part, ..., None]
        label = LABEL[base][part].astype(np.int32)
        assert data[split]["examples"] == len(label)
        assert data[split]["sha256"] == usage.digest(image, label)
        assert data[split]["class_names"] == ["0", "1", "2"]
        assert data[split]["image_shape"] == [6, 7, 1]
    measured = folder / "measurements/classification_report.json"
    scalars = json.loads(measured.read_bytes())["scalars"]
    assert scalars["top5_accuracy"] == 1  # of three classes
    # The same file goes on, another does not, though one pixel alone differs.
    line(*said, "--mode=eval")
    other = IMAGE["test"].copy()
    other[40, 0, 0] ^= 1
    written(tmp_path, x_test=other)
    refused = line(*said, "--mode=eval", code=2).stderr.splitlines()
    assert "was begun on other data: test had the SHA-256" in refused[-1]
    assert "Traceback" not in " ".join(refused)


def test_a_prepared_file_stands_for_the_source(line, tmp_path):
    file = written(tmp_path)
    said = flags(file, "jax")
    path = tmp_path / "prepared.npz"
    line(*said, "--mode=prepare", f"--prepared={path}")
    file.unlink()
    said = (*said, f"--data_dir={path}")
    line(*said)
    run = json.loads((line.folder_of(*said) / "run.json").read_bytes())
    image, label = IMAGE["train"][..., None], LABEL["train"].astype(np.int32)
    assert run["data"]["train"]["sha256"] == usage.digest(image, label)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"y_train": LABEL["train"][:9]}, "got 60 images and 9 labels"),
        ({"y_test": LABEL["test"] + 1}, "wanted the classes of train, 0 to 2"),
    ],
)
def test_bad_arrays_are_one_line_and_nothing_is_written(
    line, tmp_path, changed, says
):
    done = line(*flags(written(tmp_path, **changed), "jax"), code=2)
    assert says in refusal(done.stderr)
    assert "ls_tf: loading" not in done.stderr  # no engine
    assert not line.runs.exists()


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("image_size=32,32", "wanted nothing, data set 'digits' takes none"),
        ("channels=2", "data.channels: wanted 1, 3 or 0"),
        ("image_size=32", "data.image_size: wanted a height and a width"),
        ("held_out=1", "data.held_out: wanted 0 or more, below 1"),
        ("held_out_seed=1", "data.held_out_seed: wanted 0 or more, and data"),
    ],
)
def test_a_field_that_has_no_use_is_refused(line, field, says):
    done = line(
        *("--experiment=fc_digits", "--mode=print", f"--set=data.{field}"),
        code=2,
    )
    assert says in done.stderr
