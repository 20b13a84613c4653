"""A stand-in for Places-LT: made-up photographs, no download."""

from ls_tf.data import places_lt
from ls_tf.pipeline import painted

INFO, prepare = painted.stand_in(
    places_lt.INFO,
    sizes={"train": 512, "validation": 256},
    classes=(0, 1, 2, 3, 4),
)
