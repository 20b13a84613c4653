"""A bundle holds what a student's teacher has translated already."""

import zipfile

import numpy as np
from etils import epath
from small_translation import CHANGES

from ls_tf.bundles import making
from ls_tf.protocols import Translations
from ls_tf.records import runs
from ls_tf.spec.resolve import resolve, teacher_of
from ls_tf.tasks import translation
from ls_tf.training import checkpoints, translations

STUDENT = resolve(
    "transformer_numbers_sequence_student",
    changed={
        **CHANGES,
        **{f"teacher.changes.{k}": v for k, v in CHANGES.items()},
    },
)


def test_finished_translations_are_carried(tmp_path):
    teacher = teacher_of(STUDENT)
    runs_dir = str(tmp_path / "runs")
    with runs.opened(runs_dir, teacher, git=None) as directory:
        directory.begin(0, steps=4)
        found = checkpoints.Checkpoint(4, {"w": np.zeros(2)}, {})
        checkpoints.save(directory.path / "checkpoints", found)
        directory.update(outcome="finished", step=4)

    def names():
        path = tmp_path / "bundle.zip"
        making.bundle(path, [STUDENT], runs_dir=runs_dir, data_dir=None)
        with zipfile.ZipFile(path) as bundle:
            return {
                name: bundle.read(name)
                for name in bundle.namelist()
                if "/translations/" in name
            }

    assert names() == {}
    how = translations.search(STUDENT.spec.teacher)
    folder = translations.folder(
        epath.Path(runs_dir) / teacher.folder, STUDENT.spec, how
    )
    sources = translation.open_corpus(STUDENT.spec, None).split("train[:300]")
    key = translations.Key(
        teacher=teacher.digest,
        weights="b",
        data="numbers_ende",
        split="train[:300]",
        subwords="c",
        sources="d",
        examples=300,
        beam_size=how.beam_size,
        length_penalty=how.length_penalty,
        extra_length=how.extra_length,
    )

    def translate(some):
        count = len(some)
        return Translations(
            [[5]] * count, np.zeros(count), np.ones(count, bool)
        )

    translations.obtain(folder, key, sources.source, translate, title="t")
    carried = names()
    below = f"runs/{teacher.folder}/translations/{folder.name}"
    assert carried == {
        f"{below}/{name}": (folder / name).read_bytes()
        for name in ("ids-00000.npy", "manifest.json")
    }
