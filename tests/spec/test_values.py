"""Values of a specification as they are read from text."""

import random

import pytest
from specifications import random_value

from ls_tf.spec import (
    SpecError,
)
from ls_tf.spec.values import parse, text_of


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", int, 12),
        ("-3", int, -3),
        ("0.5", float, 0.5),
        ("1e-9", float, 1e-9),
        ("-2", float, -2.0),
        ("true", bool, True),
        ("False", bool, False),
        ("none", str, "none"),
        ("train[:400]", str, "train[:400]"),
        ("", str, ""),
        ("1", str, "1"),
        ("none", int | None, None),
        ("None", float | None, None),
        ("7", int | None, 7),
        ("16,8", tuple[int, ...], (16, 8)),
        ("(16, 8)", tuple[int, ...], (16, 8)),
        ("[16, 8]", tuple[int, ...], (16, 8)),
        ("16", tuple[int, ...], (16,)),
        ("16,", tuple[int, ...], (16,)),
        ("", tuple[int, ...], ()),
        ("()", tuple[int, ...], ()),
        ("1,2.5", tuple[float, ...], (1.0, 2.5)),
        ("bias,logits", tuple[str, ...], ("bias", "logits")),
        ("('a', 'b')", tuple[str, ...], ("a", "b")),
        ("3", None, 3),
        ("true", None, True),
        ("none", None, None),
        ("word", None, "word"),
        ("{'a': [1, 2]}", None, {"a": (1, 2)}),
        ("{'a': 1}", dict, {"a": 1}),
        ("32,48", tuple, (32, 48)),
    ],
)
def test_parse(text, kind, value):
    found = parse(text, kind, "field")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("1.5", int, "a whole number"),
        ("1e3", int, "a whole number"),
        ("", int, "a whole number"),
        ("true", int, "a whole number"),
        ("none", int, "a whole number"),
        ("9" * 30, int, "a whole number"),
        ("x", float, "a finite number"),
        ("nan", float, "a finite number"),
        ("inf", float, "a finite number"),
        ("-1e999", float, "a finite number"),
        ("none", float, "a finite number"),
        ("1", bool, "true or false"),
        ("yes", bool, "true or false"),
        ("x", int | None, "a whole number or none"),
        ("", float | None, "a finite number or none"),
        ("16,x", tuple[int, ...], "whole numbers between commas"),
        ("1.5", tuple[int, ...], "whole numbers between commas"),
        ("none", tuple[int, ...], "whole numbers between commas"),
        ("1,nan", tuple[float, ...], "numbers between commas"),
        ("3", dict, "{'NAME': VALUE, ...}"),
    ],
)
def test_parse_says_what_was_wanted(text, kind, wanted):
    with pytest.raises(SpecError) as caught:
        parse(text, kind, "some.field")
    assert str(caught.value) == f"some.field: wanted {wanted}, got '{text}'"


@pytest.mark.parametrize(
    "text",
    ["1j", "b'x'", "{1, 2}", "{[]: 1}", "...", "1e999", "(" * 300, "9" * 99],
)
def test_what_is_no_value_stays_text(text):
    assert parse(text, None, "field") == text


def test_any_value_is_read_back_from_its_text():
    rng = random.Random(0)
    for _ in range(3000):
        value = random_value(rng)
        found = parse(text_of(value, None), None, "field")
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("none", str),
        ("2", str),
        ("'quoted'", str),
        (None, int | None),
        ((), tuple[int, ...]),
        ((5,), tuple[int, ...]),
        ((1e-9, -2.0), tuple[float, ...]),
        (("bias",), tuple[str, ...]),
        (("a,b", "(c)", "none"), tuple[str, ...]),
        ({"logits": 1e-9}, dict),
        (True, bool),
        (1e-9, float),
    ],
)
def test_a_value_of_a_kind_is_read_back_from_its_text(value, kind):
    found = parse(text_of(value, kind), kind, "field")
    assert found == value
    assert type(found) is type(value)
