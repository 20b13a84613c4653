"""WMT English to German with the training data of tensor2tensor.

Europarl v7, Common Crawl and News Commentary v13, as in the
``translate_ende_wmt32k`` problem that Mueller et al. 2019 train on;
"validation" is newstest2013, "test" newstest2014.
"""

from ls_tf.pipeline.text_pairs import TextInfo

INFO = TextInfo(
    name="wmt_t2t_ende",
    sizes={"train": 4_592_289, "validation": 3_000, "test": 3_003},
    licence="the terms of statmt.org: free for research",
    source=(
        "TFDS wmt_t2t_translate/de-en, 1.6 GiB to download. "
        "O. Bojar et al., Findings of the 2014 Workshop on Statistical "
        "Machine Translation, 2014."
    ),
    tfds="wmt_t2t_translate/de-en",
)
