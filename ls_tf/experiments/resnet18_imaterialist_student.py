"""ResNet-18, taught by the probabilities of ``resnet50_imaterialist`` alone.

Source: Shen et al. 2021, table 2: 65.250 % with a teacher of hard labels and
65.359 % with one of smoothed labels; no labels, T = 1, as long as the teacher.
Cost: not measured here.
Run: python run_experiment.py --experiment=resnet18_imaterialist_student
"""

from ls_tf.experiments import resnet50_imagenet_lt, resnet50_imaterialist

SPEC = resnet50_imagenet_lt.taught(
    resnet50_imaterialist.SPEC, "resnet50_imaterialist"
)
