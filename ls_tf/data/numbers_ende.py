"""Numbers and dates in English words and in German ones: no download.

The numbers 0 to 999,999 and the days of the years 1100 to 2099 are what is
drawn from: all numbers below 1,000, some thousands of those with four, five
and six digits, and as many dates. "three hundred twenty-three" becomes
"dreihundertdreiundzwanzig": German writes a number as one word, with the ones
before the tens, so that a network must reorder and join. No number and no
date is in two splits.
"""

import datetime
import functools
import os

import numpy as np

from ls_tf import seeds
from ls_tf.pipeline import contract
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

INFO = TextInfo(
    name="numbers_ende",
    sizes={"train": 20_000, "validation": 1_000, "test": 1_000},
    licence="Apache-2.0, as the program",
    source="Made by the program, no download.",
)
# How many are drawn of the numbers first .. last - 1.
_NUMBERS = (
    (0, 1_000, 1_000),
    (1_000, 10_000, 4_000),
    (10_000, 100_000, 5_000),
    (100_000, 1_000_000, 6_000),
)
_DATES = 6_000
_FIRST_YEAR, _LAST_YEAR = 1100, 2099


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ENGLISH = _words(
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_ENGLISH_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_ENGLISH_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
    "twenty": "twentieth",
    "thirty": "thirtieth",
}
_ENGLISH_MONTHS = _words(
    "January February March April May June July August September October "
    "November December"
)

_GERMAN = _words(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf "
    "dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
)
_GERMAN_TENS = _words(
    "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
)
_GERMAN_ORDINALS = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
_GERMAN_MONTHS = _words(
    "Januar Februar März April Mai Juni Juli August September Oktober "
    "November Dezember"
)


def english(number: int) -> str:
    """Says a number in English, without "and".

    Args:
        number: 0 to 999,999.

    Returns:
        For example "one thousand three hundred twenty-three".

    Raises:
        ValueError: if the number is out of range.

    Source: ours.
    """
    _check(number)
    if number < 20:
        return _ENGLISH[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        word = _ENGLISH_TENS[tens - 2]
        return f"{word}-{_ENGLISH[ones]}" if ones else word
    value, word = (1000, "thousand") if number >= 1000 else (100, "hundred")
    count, rest = divmod(number, value)
    head = f"{english(count)} {word}"
    return f"{head} {english(rest)}" if rest else head


def _check(number: int) -> None:
    if not 0 <= number < 1_000_000:
        raise ValueError(f"wanted a number of 0 to 999999, got {number}")


def german(number: int) -> str:
    """Says a number in German.

    Args:
        number: 0 to 999,999.

    Returns:
        For example "eintausenddreihundertdreiundzwanzig".

    Raises:
        ValueError: if the number is out of range.

    Source: ours.
    """
    _check(number)
    if number < 20:
        return _GERMAN[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        word = _GERMAN_TENS[tens - 2]
        return f"{_before(ones)}und{word}" if ones else word
    value, word = (1000, "tausend") if number >= 1000 else (100, "hundert")
    count, rest = divmod(number, value)
    return f"{_before(count)}{word}{german(rest) if rest else ''}"


def _before(number: int) -> str:
    """A German number before another word: "eins" loses its s."""
    word = german(number)
    return word[:-1] if word.endswith("eins") else word


def english_date(date: datetime.date) -> str:
    """Says a date in English.

    Args:
        date: of a year from 1100 to 2099.

    Returns:
        For example "the third of March, nineteen eighty-four".

    Source: ours.
    """
    head, dash, last = english(date.day).rpartition("-")
    day = f"{head}{dash}{_ENGLISH_ORDINALS.get(last, f'{last}th')}"
    century, rest = divmod(date.year, 100)
    if date.year in range(2000, 2010):
        year = english(date.year)
    elif rest == 0:
        year = f"{english(century)} hundred"
    elif rest < 10:
        year = f"{english(century)} oh {english(rest)}"
    else:
        year = f"{english(century)} {english(rest)}"
    return f"the {day} of {_ENGLISH_MONTHS[date.month - 1]}, {year}"


def german_date(date: datetime.date) -> str:
    """Says a date in German.

    Args:
        date: of a year from 1100 to 2099.

    Returns:
        For example "der dritte März neunzehnhundertvierundachtzig".

    Source: ours.
    """
    ending = "te" if date.day < 20 else "ste"
    day = _GERMAN_ORDINALS.get(date.day, f"{german(date.day)}{ending}")
    century, rest = divmod(date.year, 100)
    if century == 20:
        year = german(date.year)
    else:
        year = f"{german(century)}hundert{german(rest) if rest else ''}"
    return f"der {day} {_GERMAN_MONTHS[date.month - 1]} {year}"


def load_pairs(
    split: str, *, data_dir: str | os.PathLike[str] | None, source: str = ""
) -> Pairs:
    """Loads a split or a part of one.

    Args:
        split: ``"train"``, ``"train[:1000]"``, ``"validation"``, ``"test"``.
        data_dir: not used; the pairs are made here.
        source: not used.

    Returns:
        English and German, numbers and dates mixed.

    Raises:
        ValueError: if there is no such split.

    Source: ours.
    """
    del data_dir, source
    base, start, stop = contract.parse_split(split, INFO.sizes)
    for name, size in INFO.sizes.items():
        if name == base:
            break
        start, stop = start + size, stop + size
    return _all_pairs().part(start, stop)


@functools.cache
def _all_pairs() -> Pairs:
    """All pairs, in the order of the splits."""
    numbers = np.concatenate([_drawn(*n) for n in _NUMBERS]).tolist()
    first = datetime.date(_FIRST_YEAR, 1, 1).toordinal()
    last = datetime.date(_LAST_YEAR, 12, 31).toordinal()
    dates = [
        datetime.date.fromordinal(day)
        for day in _drawn(first, last + 1, _DATES).tolist()
    ]
    source = [english(n) for n in numbers] + [english_date(d) for d in dates]
    target = [german(n) for n in numbers] + [german_date(d) for d in dates]
    order = _order("all", len(source)).tolist()
    return Pairs([source[i] for i in order], [target[i] for i in order])


def _drawn(first: int, last: int, count: int) -> np.ndarray:
    """Draws numbers of first .. last - 1, no one twice; int64 [count]."""
    return first + _order(f"{first}", last - first)[:count]


def _order(what: str, count: int) -> np.ndarray:
    # Raw Philox words are the same in every NumPy; permutation() need not be.
    words = seeds.philox(0, "numbers", what).bit_generator.random_raw(count)
    return np.argsort(words, kind="stable")
