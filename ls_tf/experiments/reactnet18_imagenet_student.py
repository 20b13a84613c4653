"""ReActNet's ResNet-18 on ImageNet, taught by ResNet-50's answers alone.

Source: Shen et al. 2021, figure 6: 63.002 % with a teacher of hard labels and
63.108 % with one of smoothed labels; the rate falls to 0 on a line. They state
neither optimizer nor length: those are of ReActNet's code
(liuzechun/ReActNet, ``resnet/2_step2/run.sh``): Adam at 0.0025, 128 epochs, a
batch of 512, no decay. There a first training with real weights comes before:
``--set=model.options.binary_weights=false``, from which
``--set=model.weights=FILE`` goes on. ReActNet-A is
``--set=model.options.block=mobilenet`` with its blocks and widths.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/reactnet18_imagenet_student.flags
"""

import dataclasses

from ls_tf.experiments import resnet18_imagenet_student
from ls_tf.spec import Part, override

_STUDENT = resnet18_imagenet_student.SPEC

SPEC = override(
    dataclasses.replace(
        _STUDENT,
        model=Part(
            "reactnet",
            {
                "block": "resnet",
                "blocks": (4, 4, 4, 4),
                "widths": (64, 128, 256, 512),
                "stem_width": 64,
                "stem_kernel": 7,
                "stem_downsampling": True,
                "derivative": "polynomial",
                "binary_weights": True,
            },
        ),
        optimizer=Part("Adam"),
        learning_rate=2.5e-3,
        schedule=Part("linear_to_zero"),
    ),
    {
        "train.epochs": 128,
        "train.global_batch_size": 512,
        "train.weight_decay": 0.0,
    },
)
