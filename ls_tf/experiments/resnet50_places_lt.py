"""ResNet-50 on Places-LT, a long tail of scenes.

Source: Shen et al. 2021, table 3: 27.384 % and 27.562 % without and with
smoothing, on 184,500 images; the lists that are given away have 62,500. What
they do not state is as in ``resnet50_imagenet_lt``.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet50_places_lt.flags
"""

from ls_tf.experiments import resnet50_imagenet_lt

SPEC = resnet50_imagenet_lt.on("places_lt", 62_500)
