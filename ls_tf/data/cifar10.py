"""CIFAR-10: 32 x 32 photographs of vehicles and animals.

The paper holds out 10,000 training images and does not say which; in the
notation of splits, ``train[:40000]`` and ``train[40000:]`` are such a pair.
TFDS mixed the examples when it wrote its files, so that both parts hold all
classes.
"""

from ls_tf.pipeline.contract import DatasetInfo

INFO = DatasetInfo(
    name="cifar10",
    sizes={"train": 50_000, "test": 10_000},
    image_shape=(32, 32, 3),
    num_classes=10,
    class_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    licence="none stated",
    source=(
        "TFDS cifar10, 162 MiB. A. Krizhevsky, Learning multiple layers of "
        "features from tiny images, technical report, University of Toronto, "
        "2009."
    ),
    tfds="cifar10",
)
