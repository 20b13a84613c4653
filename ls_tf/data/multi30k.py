"""Multi30k: 29,000 captions of photographs, English to German.

The builder for TFDS is ours: it reads the six files
``{train,val,test_2016_flickr}.{en,de}.gz`` of the authors' repository from
``<data_dir>/downloads/manual/multi30k``, or downloads them.
"""

from ls_tf.pipeline.text_pairs import TextInfo

INFO = TextInfo(
    name="multi30k",
    sizes={"train": 29_000, "val": 1_014, "test_2016_flickr": 1_000},
    licence="CC BY-NC-SA 4.0",
    source=(
        "https://github.com/multi30k/dataset, data/task1/raw, 1 MiB. D. "
        "Elliott, S. Frank, K. Sima'an and L. Specia, Multi30K: Multilingual "
        "English-German Image Descriptions, Workshop on Vision and Language, "
        "2016."
    ),
    tfds="multi30k",
    builder="ls_tf.pipeline.multi30k_builder",
)
