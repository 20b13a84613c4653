"""ResNet-50 on Caltech-UCSD Birds 200-2011, the teacher of Shen et al.

Source: Shen et al. 2021, tables 2 and 7: 79.931 % and 81.497 % without and with
smoothing; 200 epochs, from weights of ImageNet: give the file with
``--set=model.weights=PATH``. The rate and its falls, after 80 and 160 epochs,
are ours, as what ``resnet50_imagenet_lt`` names.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet50_cub200.flags
"""

from ls_tf.experiments import resnet50_imagenet_lt

SPEC = resnet50_imagenet_lt.on(
    "cub200", 5_994, evaluated="test", epochs=200, falls=(80, 160)
)
