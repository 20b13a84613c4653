"""Durations in words."""

import pytest

from ls_tf.durations import spoken


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.6, "60 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3540, "59 min"),
        (3580, "1 h 00 min"),  # 59.7 minutes
        (3600, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (45_296, "12 h 35 min"),  # 12 h 34 min 56 s
        (50 * 3600, "50 h 00 min"),
    ],
)
def test_a_duration_in_words(seconds, words):
    assert spoken(seconds) == words
