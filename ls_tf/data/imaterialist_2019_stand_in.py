"""A stand-in for iMaterialist: made-up photographs, no download."""

from ls_tf.data import imaterialist_2019
from ls_tf.pipeline import painted

INFO, prepare = painted.stand_in(
    imaterialist_2019.INFO,
    sizes={"train": 512, "validation": 256},
    classes=(0, 1, 2, 3, 4),
)
