"""Numbers and dates in words, against examples written by hand."""

import datetime
import re

import numpy as np
import pytest

from ls_tf.data import numbers_ende
from ls_tf.data.numbers_ende import (
    INFO,
    english,
    english_date,
    german,
    german_date,
    load_pairs,
)

# Written by hand, after Duden's rules.
NUMBERS = [
    (0, "zero", "null"),
    (1, "one", "eins"),
    (6, "six", "sechs"),
    (7, "seven", "sieben"),
    (11, "eleven", "elf"),
    (12, "twelve", "zwölf"),
    (16, "sixteen", "sechzehn"),
    (17, "seventeen", "siebzehn"),
    (18, "eighteen", "achtzehn"),
    (20, "twenty", "zwanzig"),
    (21, "twenty-one", "einundzwanzig"),
    (30, "thirty", "dreißig"),
    (36, "thirty-six", "sechsunddreißig"),
    (44, "forty-four", "vierundvierzig"),
    (55, "fifty-five", "fünfundfünfzig"),
    (60, "sixty", "sechzig"),
    (66, "sixty-six", "sechsundsechzig"),
    (70, "seventy", "siebzig"),
    (77, "seventy-seven", "siebenundsiebzig"),
    (88, "eighty-eight", "achtundachtzig"),
    (99, "ninety-nine", "neunundneunzig"),
    (100, "one hundred", "einhundert"),
    (101, "one hundred one", "einhunderteins"),
    (117, "one hundred seventeen", "einhundertsiebzehn"),
    (323, "three hundred twenty-three", "dreihundertdreiundzwanzig"),
    (600, "six hundred", "sechshundert"),
    (700, "seven hundred", "siebenhundert"),
    (1_000, "one thousand", "eintausend"),
    (1_001, "one thousand one", "eintausendeins"),
    (
        1_984,
        "one thousand nine hundred eighty-four",
        "eintausendneunhundertvierundachtzig",
    ),
    (16_000, "sixteen thousand", "sechzehntausend"),
    (21_000, "twenty-one thousand", "einundzwanzigtausend"),
    (
        31_031,
        "thirty-one thousand thirty-one",
        "einunddreißigtausendeinunddreißig",
    ),
    (100_000, "one hundred thousand", "einhunderttausend"),
    (
        101_101,
        "one hundred one thousand one hundred one",
        "einhunderteintausendeinhunderteins",
    ),
    (
        999_999,
        "nine hundred ninety-nine thousand nine hundred ninety-nine",
        "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
    ),
]
DATES = [
    (
        (1984, 3, 3),
        "the third of March, nineteen eighty-four",
        "der dritte März neunzehnhundertvierundachtzig",
    ),
    (
        (1100, 1, 1),
        "the first of January, eleven hundred",
        "der erste Januar elfhundert",
    ),
    (
        (1909, 2, 7),
        "the seventh of February, nineteen oh nine",
        "der siebte Februar neunzehnhundertneun",
    ),
    (
        (1801, 4, 8),
        "the eighth of April, eighteen oh one",
        "der achte April achtzehnhunderteins",
    ),
    (
        (1717, 5, 9),
        "the ninth of May, seventeen seventeen",
        "der neunte Mai siebzehnhundertsiebzehn",
    ),
    (
        (1612, 6, 12),
        "the twelfth of June, sixteen twelve",
        "der zwölfte Juni sechzehnhundertzwölf",
    ),
    (
        (1516, 7, 16),
        "the sixteenth of July, fifteen sixteen",
        "der sechzehnte Juli fünfzehnhundertsechzehn",
    ),
    (
        (2000, 8, 20),
        "the twentieth of August, two thousand",
        "der zwanzigste August zweitausend",
    ),
    (
        (2001, 9, 21),
        "the twenty-first of September, two thousand one",
        "der einundzwanzigste September zweitausendeins",
    ),
    (
        (2015, 10, 30),
        "the thirtieth of October, twenty fifteen",
        "der dreißigste Oktober zweitausendfünfzehn",
    ),
    (
        (2099, 12, 31),
        "the thirty-first of December, twenty ninety-nine",
        "der einunddreißigste Dezember zweitausendneunundneunzig",
    ),
    (
        (1933, 11, 22),
        "the twenty-second of November, nineteen thirty-three",
        "der zweiundzwanzigste November neunzehnhundertdreiunddreißig",
    ),
    (
        (1848, 3, 5),
        "the fifth of March, eighteen forty-eight",
        "der fünfte März achtzehnhundertachtundvierzig",
    ),
]


@pytest.mark.parametrize(("number", "said", "gesagt"), NUMBERS)
def test_numbers(number, said, gesagt):
    assert english(number) == said
    assert german(number) == gesagt


@pytest.mark.parametrize(("date", "said", "gesagt"), DATES)
def test_dates(date, said, gesagt):
    assert english_date(datetime.date(*date)) == said
    assert german_date(datetime.date(*date)) == gesagt


def test_every_day_of_a_month_is_said_otherwise():
    days = [datetime.date(2000, 1, day) for day in range(1, 32)]
    for say in (english_date, german_date):
        said = {say(day) for day in days}
        assert len(said) == 31
    # 20 and beyond end in "ste", those before in "te"; no exception.
    for day in days:
        ordinal = german_date(day).split()[1]
        assert ordinal.endswith("ste" if day.day >= 20 else "te")
        assert "eins" not in ordinal


def _value(word):
    """Reads a German number: another way round than it was written."""
    word = word.replace("null", "0")
    total = 0
    for part, factor in (("tausend", 1000), ("hundert", 100)):
        head, found, rest = word.partition(part)
        if found:
            total += factor * _value(head)
            word = rest
    if not word:
        return total
    names = "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf"
    units = {name: i for i, name in enumerate(names.split())}
    units |= {"eins": 1, "0": 0}
    stems = "dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
    units |= {name: i for i, name in enumerate(stems.split(), 13)}
    tens = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
    units |= {name: 10 * i for i, name in enumerate(tens.split(), 2)}
    match = re.fullmatch("(?:(?P<ones>.+?)und)?(?P<tens>.+)", word)
    ones = units[match["ones"]] if match["ones"] else 0
    return total + ones + units[match["tens"]]


def test_german_numbers_can_be_read_back():
    for number in [*range(2_000), *range(2_000, 1_000_000, 997)]:
        assert _value(german(number)) == number


@pytest.mark.parametrize("say", [english, german])
@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_a_number_out_of_range_is_refused(say, number):
    with pytest.raises(ValueError, match=f"0 to 999999, got {number}$"):
        say(number)


@pytest.fixture(scope="module")
def splits():
    return {name: load_pairs(name, data_dir=None) for name in INFO.sizes}


def test_the_splits_have_their_sizes_and_share_nothing(splits):
    assert {k: len(v) for k, v in splits.items()} == INFO.sizes
    assert INFO.sizes == {"train": 20_000, "validation": 1_000, "test": 1_000}
    for side in ("source", "target"):
        every = [text for p in splits.values() for text in getattr(p, side)]
        assert len(set(every)) == len(every) == 22_000


def test_the_splits_are_alike(splits):
    # 6,000 of 22,000 are dates; three standard deviations of 1,000 draws
    # are 4 %.
    for pairs in splits.values():
        share = np.mean([text.startswith("der ") for text in pairs.target])
        assert abs(share - 6 / 22) < 0.045
        for source, target in zip(pairs.source, pairs.target, strict=True):
            assert source.startswith("the ") == target.startswith("der ")


def test_all_numbers_below_a_thousand_are_there(splits):
    every = {text for p in splits.values() for text in p.target}
    assert {german(n) for n in range(1_000)} <= every


def test_parts_and_order_are_fixed_for_good(splits):
    whole = splits["train"]
    assert load_pairs("train[10:50%]", data_dir="no/where") == whole.part(
        10, 10_000
    )
    assert whole.source[3] == "the twenty-first of February, twenty sixty-three"
    assert whole.target[9] == "sechstausendvierhundertzehn"
    assert numbers_ende.load_pairs("test[:1]", data_dir=None) == splits[
        "test"
    ].part(0, 1)


def test_a_bad_split_is_refused():
    with pytest.raises(ValueError, match=r"train \(20000\), validation"):
        load_pairs("val", data_dir=None)
