"""ResNet-18, taught by the probabilities of ``resnet50_cub200`` alone.

Source: Shen et al. 2021, table 2: 77.116 % with a teacher of hard labels and
78.382 % with one of smoothed labels; no labels, T = 1, as long as the teacher.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet18_cub200_student.flags
"""

from ls_tf.experiments import resnet50_cub200, resnet50_imagenet_lt

SPEC = resnet50_imagenet_lt.taught(resnet50_cub200.SPEC, "resnet50_cub200")
