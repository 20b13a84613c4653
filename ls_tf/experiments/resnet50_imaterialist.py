"""ResNet-50 on the products of iMaterialist 2019.

Source: Shen et al. 2021, tables 2 and 7: 66.241 % and 66.825 % without and with
smoothing; 200 epochs, from scratch. The rate falls to a tenth after 80 and 160,
as their students' does: ours, as what ``resnet50_imagenet_lt`` names.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet50_imaterialist.flags
"""

from ls_tf.experiments import resnet50_imagenet_lt

SPEC = resnet50_imagenet_lt.on(
    "imaterialist_2019", 1_011_532, epochs=200, falls=(80, 160)
)
