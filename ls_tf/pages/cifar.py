"""The CIFAR networks of the reports, and words that go with them."""

from ls_tf.pages.networks import Network

# For the captions of tables and pictures with numbers of CIFAR-10.
JPEG = (
    "The records committed in results/ were made on a copy of CIFAR-10 whose "
    "images went through JPEG once; other copies give other numbers."
)
_IMAGES = "the last 10,000 training images, which are not trained on."
SPLIT = f"Reported on {_IMAGES}"
# Of tables with numbers of other data sets too.
AMONG = f"CIFAR: on {_IMAGES}"
SPLITS = f"MNIST: the test images. CIFAR-10: {_IMAGES}"
CLASSES = (
    "Classes: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, "
    "7 horse, 8 ship, 9 truck."
)
SHORTENED = (
    "A schedule “steps / n” is the paper's with all step counts divided by n: "
    "its numbers are not to be compared with printed ones."
)

ALEXNET = Network("CIFAR-10 AlexNet", "alexnet_cifar10")
# On a GPU; docs/deviations.md says what the precision changes.
ALEXNET_BFLOAT16 = Network(
    "CIFAR-10 AlexNet", "alexnet_cifar10", precision="bfloat16"
)
ALEXNET_24 = Network("CIFAR-10 AlexNet", "alexnet_cifar10_24", "24 x 24")
ALEXNET_TENTH = Network("CIFAR-10 AlexNet", "alexnet_cifar10_tenth")
ALEXNET_SHORT = Network("CIFAR-10 AlexNet", "alexnet_cifar10_short")
ALEXNET_24_SHORT = Network(
    "CIFAR-10 AlexNet", "alexnet_cifar10_24_short", "24 x 24"
)
RESNET_10 = Network("CIFAR-10 ResNet-56", "resnet56_cifar10")
# The recipe of resnet56_cifar10, with more measurements.
RESNET_10_BFLOAT16 = Network(
    "CIFAR-10 ResNet-56", "resnet56_cifar10_teacher", precision="bfloat16"
)
RESNET_10_SHORT = Network("CIFAR-10 ResNet-56", "resnet56_cifar10_short")
RESNET_100 = Network("CIFAR-100 ResNet-56", "resnet56_cifar100")

NETWORKS = (
    ALEXNET,
    ALEXNET_BFLOAT16,
    ALEXNET_24,
    ALEXNET_TENTH,
    ALEXNET_SHORT,
    ALEXNET_24_SHORT,
    RESNET_100,
    RESNET_10,
    RESNET_10_BFLOAT16,
    RESNET_10_SHORT,
)
SUBSTITUTES = {
    n: "substitute for CIFAR-100"
    for n in (RESNET_10, RESNET_10_BFLOAT16, RESNET_10_SHORT)
}
