"""Inception-v4 on ImageNet less 50,000 images, to choose the length.

Source: Mueller et al. 2019, App. A.4: the checkpoint is chosen on about 50,000
training images that are held out, in a run of its own. The step at which
``report/accuracy`` is highest in ``metrics.csv`` is the length of
``inception_v4_imagenet``: ``--set=train.steps=N``.
Cost: see docs/accelerators.md.
Run: python run_experiment.py --flagfile=flags/inception_v4_held_out.flags
"""

import dataclasses

from ls_tf.experiments import inception_v4_imagenet
from ls_tf.experiments.inception_v4_imagenet import IMAGES
from ls_tf.spec import EvaluatorSpec, override

_WHOLE = inception_v4_imagenet.SPEC
_TRAINED = IMAGES - 50_000

SPEC = override(
    dataclasses.replace(
        _WHOLE,
        evaluators=(
            EvaluatorSpec("classification", "report", every_steps=1000),
            EvaluatorSpec("reliability", "report"),
        ),
        smoke={
            name: value
            for name, value in _WHOLE.smoke.items()
            if not name.startswith("evaluators.")
        }
        | {"data.report": "train[64:128]"},
    ),
    {
        # TFDS has mixed the images when it wrote its files.
        "data.train": f"train[:{_TRAINED}]",
        "data.report": f"train[{_TRAINED}:]",
        "data.same_split_reason": "",
        # Kornblith et al. 2019, from memory: up to 300 epochs.
        "train.epochs": 300,
    },
)
