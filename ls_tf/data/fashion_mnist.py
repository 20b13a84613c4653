"""Fashion-MNIST: 28 x 28 pictures of clothes."""

from ls_tf.pipeline.contract import DatasetInfo

INFO = DatasetInfo(
    name="fashion_mnist",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28, 1),
    num_classes=10,
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    licence="MIT",
    source=(
        "TFDS fashion_mnist, 30 MiB. H. Xiao, K. Rasul and R. Vollgraf, "
        "Fashion-MNIST: a novel image dataset for benchmarking machine "
        "learning algorithms, arXiv:1708.07747, 2017."
    ),
    tfds="fashion_mnist",
)
