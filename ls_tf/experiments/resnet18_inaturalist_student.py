"""ResNet-18 on iNaturalist 2019, taught by ResNet-50's probabilities alone.

Source: Shen et al. 2021, table 6: 67.756 % with a teacher of hard labels and
67.228 % with one of smoothed labels, which is the less accurate; no labels, T =
1. 200 epochs, a tenth of the rate after 80 and 160, as their other students.
Cost: not measured here.
Run: python run_experiment.py --experiment=resnet18_inaturalist_student
"""

from ls_tf.experiments import resnet50_imagenet_lt
from ls_tf.experiments.resnet50_inaturalist import EXAMPLES

SPEC = resnet50_imagenet_lt.taught(
    resnet50_imagenet_lt.on(
        "inaturalist_2019", EXAMPLES, epochs=200, falls=(80, 160)
    ),
    "resnet50_inaturalist",
)
