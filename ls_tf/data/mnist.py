"""MNIST: 28 x 28 handwritten digits."""

from ls_tf.pipeline.contract import DatasetInfo

INFO = DatasetInfo(
    name="mnist",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28, 1),
    num_classes=10,
    class_names=tuple("0123456789"),
    licence="CC BY-SA 3.0",
    source=(
        "TFDS mnist, 11 MiB. Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "
        "Gradient-based learning applied to document recognition, "
        "Proceedings of the IEEE 86, 1998."
    ),
    tfds="mnist",
)
