"""ResNet-50 on iNaturalist 2019: the teacher that smoothing makes worse.

Source: Shen et al. 2021, tables 3 and 6: 73.729 % and 72.904 % without and with
smoothing. What they do not state is as in ``resnet50_imagenet_lt``.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet50_inaturalist.flags
"""

from ls_tf.experiments import resnet50_imagenet_lt

EXAMPLES = 265_213

SPEC = resnet50_imagenet_lt.on("inaturalist_2019", EXAMPLES)
