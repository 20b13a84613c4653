"""A stand-in for ImageNet-LT: made-up photographs, no download."""

from ls_tf.data import imagenet_lt
from ls_tf.pipeline import painted

INFO, prepare = painted.stand_in(
    imagenet_lt.INFO,
    sizes={"train": 512, "validation": 256},
    classes=(0, 265, 266, 299, 499),
)
