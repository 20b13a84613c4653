"""``--mode=print`` refuses what a training would refuse."""

import json
import re
import sys

import numpy as np
import pytest
from own_sets import hugging_face

from ls_tf import cli

DIGITS = "--experiment=fc_digits"
STUDENT = "--experiment=fc_digits_student"
FOCAL = ("--alpha=0", "--set=loss.name=focal")
FORWARD = ("--alpha=0", "--set=loss.name=forward_correction")


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        code = cli.main(["x", *flags, "--mode=print"])
        out, err = capsys.readouterr()
        assert list(tmp_path.iterdir()) == []
        return code, out, err

    return run


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            [DIGITS, "--set=optimizer.options.momentum=-0.5"],
            "wanted momentum in ",
        ),
        (
            [
                DIGITS,
                "--set=schedule.name=piecewise_constant",
                "--set=schedule.options.boundaries=5,9",
                "--set=schedule.options.factors=0.1",
            ],
            "wanted one factor for each of one or more boundaries",
        ),
        ([DIGITS, "--set=model.options.hidden=0,4"], "hidden widths of 1 or"),
        ([DIGITS, "--set=data.train=trian"], "trian"),
        ([DIGITS, "--set=data.name=mnist", "--set=data.report=tset"], "tset"),
        (
            [DIGITS, "--set=evaluators.1.options.num_bins=0"],
            "wanted 1 or more, got 0",
        ),
        (
            ["--experiment=bench_mnist", "--set=evaluators.7.options.others=x"],
            "no data set 'x'; existing: ",
        ),
        (
            [
                "--experiment=bench_mnist",
                "--set=evaluators.8.options.data=multi30k",
            ],
            "multi30k: wanted a data set of images that fit in memory",
        ),
        (
            [DIGITS, *FOCAL, "--set=loss.options.gamma=-1"],
            "loss 'focal': wanted gamma of 0 or more, got -1.0",
        ),
        (
            [DIGITS, *FORWARD, "--set=loss.options.transition=(.5,.6),(.5,.5)"],
            "wanted probabilities that sum to 1 in row 0",
        ),
        (
            [DIGITS, *FORWARD, "--set=loss.options.transition=(.5,.5),(.5,.5)"],
            "wanted a transition of 10 x 10 probabilities.*, got 2 x 2",
        ),
        (
            [DIGITS, "--set=data.label_transition=(.5,.5),(.5,.5)"],
            "wanted 10 x 10 probabilities for the classes of digits, got 2 x 2",
        ),
        ([DIGITS, "--set=data.classes=4,10"], "wanted classes 0 to 9"),
        (
            ["--experiment=resnet50_imagenet_lt", "--set=data.label_kept=.5"],
            "wanted images in memory, the photographs of imagenet_lt",
        ),
        (
            [STUDENT, "--set=teacher.experiment=fc_emnist"],
            r"wanted 10 classes as the student's \(digits\), got 47",
        ),
    ],
    ids=lambda x: x[-1] if isinstance(x, list) else "",
)
def test_what_is_refused_without_data_is_refused_in_print(printed, flags, says):
    code, out, err = printed(*flags)
    assert (code, out) == (2, "")
    assert re.search(says, err.splitlines()[-1]), err


ARRAYS = {
    "x_train": np.zeros((60, 6, 7), np.uint8),
    "y_train": np.arange(60) % 3,
    "x_test": np.zeros((12, 6, 7), np.uint8),
    "y_test": np.arange(12) % 3,
}


def own(name, source):
    return (
        *(DIGITS, f"--set=data.name={name}", f"--set=data.source={source}"),
        *("--set=data.calibrate=test", "--set=data.report=test"),
        "--set=data.same_split_reason=tried",
    )


@pytest.fixture
def elsewhere(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


def test_a_numpy_file_that_can_be_learnt_from_is_printed(printed, elsewhere):
    file = elsewhere / "own.npz"
    np.savez(file, **ARRAYS)
    code, out, err = printed(*own("npz", file))
    assert (code, err) == (0, "")
    assert json.loads(out)["spec"]["data"]["source"] == str(file)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"y_train": np.arange(9)}, "got 60 images and 9 labels"),
        ({"x_test": np.zeros((12, 6, 6), np.uint8)}, "images of train's size"),
        ({"x_train": np.zeros((60, 6, 7))}, "wanted images as uint8"),
        ({"y_test": np.arange(12) % 4}, "wanted the classes of train, 0 to 2"),
        ({}, "Bad CRC-32"),
    ],
)
def test_a_numpy_file_is_refused_as_training_refuses_it(
    printed, elsewhere, changed, says, capsys
):
    file = elsewhere / "own.npz"
    np.savez(file, **(ARRAYS | changed))
    if not changed:
        data = bytearray(file.read_bytes())
        data[400] ^= 1  # a pixel of x_train; the archive has its checksum
        file.write_bytes(data)
    code, out, err = printed(*own("npz", file))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err
    assert cli.main(["x", *own("npz", file)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == err.rstrip("\n")


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("npz", "not_yet.npz", "data.source: there is no file not_yet.npz"),
        ("image_folder", "nowhere", "wanted a folder, nowhere is not there"),
    ],
)
def test_data_that_is_not_there_is_refused(printed, name, source, says):
    code, out, err = printed(*own(name, source))
    assert (code, out) == (2, "") and says in err


def test_a_folder_is_listed_and_no_picture_of_it_decoded(printed, elsewhere):
    for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (elsewhere / place).mkdir(parents=True)
        (elsewhere / place / "1.png").write_bytes(b"of no format")
    code, _, err = printed(*own("image_folder", elsewhere))
    assert (code, err) == (0, "")
    (elsewhere / "test/dog/1.png").unlink()
    code, out, err = printed(*own("image_folder", elsewhere))
    assert (code, out) == (2, "") and "of every class, got none in" in err
    code, _, err = printed(
        *own("image_folder", elsewhere / "train"), "--set=data.held_out=0.5"
    )
    assert code == 2 and "wanted 2 examples or more of every class" in err


def test_a_hugging_face_name_is_not_fetched(printed, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if not installed
    code, out, err = printed(*own("hf", "ylecun/mnist"))
    assert (code, err) == (0, "") and json.loads(out)


@pytest.mark.parametrize("name", ["image_folder", "hf"])
def test_a_size_of_what_is_streamed_is_refused(printed, elsewhere, name):
    for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (elsewhere / place).mkdir(parents=True)
        (elsewhere / place / "1.png").write_bytes(b"of no format")
    source = elsewhere if name == "image_folder" else "x/y"
    words = own(name, source)[1:]
    streamed = ("--experiment=resnet50_tiny_imagenet", *words)
    assert printed(*streamed)[0] == 0
    code, out, err = printed(*streamed, "--set=data.image_size=32,32")
    assert (code, out) == (2, "")
    assert err.endswith("the augmentation of photographs makes them alike\n")


@pytest.mark.slow
def test_the_columns_of_a_hugging_face_folder_are_looked_at(printed, elsewhere):
    images = np.zeros((6, 4, 4), np.uint8)
    part = (images, np.arange(6) % 3)
    spec = hugging_face(elsewhere / "set", label="kind", train=part, test=part)
    assert printed(*own("hf", spec.source))[0] == 0
    code, out, err = printed(
        *own("hf", spec.source), "--set=data.label_column=kinds"
    )
    assert (code, out) == (2, "") and "a column of class labels, kind" in err
    code, out, err = printed(*own("hf", spec.source), "--set=data.report=tset")
    assert (code, out) == (2, "") and "tset" in err


def test_a_teacher_of_another_column_of_labels_is_refused(printed):
    hub = {"data.name": "hf", "data.source": "x/y"}
    both = {**hub, **{f"teacher.changes.{k}": v for k, v in hub.items()}}
    ours, theirs = "data.label_column", "teacher.changes.data.label_column"
    for named, says in (
        ({ours: "fine"}, "student's, fine, got none named"),
        ({theirs: "fine"}, "student's, none named, got fine"),
        ({ours: "fine", theirs: "coarse"}, "student's, fine, got coarse"),
    ):
        flags = [f"--set={k}={v}" for k, v in {**both, **named}.items()]
        code, out, err = printed(STUDENT, *flags)
        assert (code, out) == (2, "") and says in err
    same = {ours: "fine", theirs: "fine"}
    flags = [f"--set={k}={v}" for k, v in {**both, **same}.items()]
    assert printed(STUDENT, *flags)[0] == 0


@pytest.mark.parametrize("field", ["held_out", "held_out_seed"])
def test_a_teacher_that_saw_what_is_held_out_is_refused(printed, field):
    hub = {"data.name": "hf", "data.source": "x/y", "data.held_out": 0.2}
    flags = [
        f"--set={start}{k}={v}"
        for start in ("", "teacher.changes.")
        for k, v in hub.items()
    ]
    assert printed(STUDENT, *flags)[0] == 0
    value = {"held_out": 0.1, "held_out_seed": 1}[field]
    code, out, err = printed(STUDENT, *flags, f"--set=data.{field}={value}")
    assert (code, out) == (2, "")
    assert f"teacher: wanted data.{field} as the student's, {value}, got" in err
    assert f"teacher.changes.data.{field} says it" in err


def test_what_can_be_built_is_printed(printed):
    code, out, err = printed(
        DIGITS, "--set=optimizer.name=Adam", "--set=model.options.hidden=8"
    )
    assert code == 0 and json.loads(out)["spec"]["optimizer"]["options"] == {}
    assert len(err.splitlines()) == 1 and "dropped momentum" in err
