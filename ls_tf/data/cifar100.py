"""CIFAR-100: 32 x 32 photographs of a hundred kinds of things.

Labels are the fine ones; the twenty superclasses are not read. The paper
holds out 10,000 training images and does not say which; in the notation of
splits, ``train[:40000]`` and ``train[40000:]`` are such a pair.
"""

from ls_tf.pipeline.contract import DatasetInfo

# The labels count the classes in alphabetical order.
_CLASS_NAMES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl
    boy bridge bus butterfly camel can castle caterpillar cattle chair
    chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
    lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
    mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road
    rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television
    tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf
    woman worm
"""

INFO = DatasetInfo(
    name="cifar100",
    sizes={"train": 50_000, "test": 10_000},
    image_shape=(32, 32, 3),
    num_classes=100,
    class_names=tuple(_CLASS_NAMES.split()),
    licence="none stated",
    source=(
        "TFDS cifar100, 161 MiB. A. Krizhevsky, Learning multiple layers of "
        "features from tiny images, technical report, University of Toronto, "
        "2009."
    ),
    tfds="cifar100",
)
