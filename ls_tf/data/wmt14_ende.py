"""WMT 2014 English to German.

As ``wmt_t2t_ende``, but with News Commentary v9: "validation" is
newstest2013, "test" newstest2014.
"""

from ls_tf.pipeline.text_pairs import TextInfo

INFO = TextInfo(
    name="wmt14_ende",
    sizes={"train": 4_508_785, "validation": 3_000, "test": 3_003},
    licence="the terms of statmt.org: free for research",
    source=(
        "TFDS wmt14_translate/de-en, 1.6 GiB to download. "
        "O. Bojar et al., Findings of the 2014 Workshop on Statistical "
        "Machine Translation, 2014."
    ),
    tfds="wmt14_translate/de-en",
)
