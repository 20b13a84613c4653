"""Places-LT: a long tail of Places365, 4,980 to 5 photographs of a scene.

Labels are those of the lists, and their numbers are the names here. The lists
that are given away have 62,500 training images; Shen et al. 2021 print 184,500,
as the paper of the set does.
"""

from ls_tf.pipeline.contract import RecordInfo
from ls_tf.pipeline.listed import Listed, PictureList

INFO = RecordInfo(
    name="places_lt",
    sizes={"train": 62_500, "validation": 7_300},
    num_classes=365,
    class_names=tuple(str(number) for number in range(365)),
    licence="Places' terms: research and education, by the photographers",
    source=(
        "lists beside the images of Places365-Standard, fetched by hand. Z. "
        "Liu et al., Large-scale long-tailed recognition in an open world, "
        "CVPR 2019, arXiv:1904.05160; B. Zhou et al., Places: a 10 million "
        "image database for scene recognition, TPAMI 2018."
    ),
)

prepare = Listed(
    INFO,
    {
        "train": PictureList("Places_LT_train.txt", "lines"),
        "validation": PictureList("Places_LT_val.txt", "lines"),
    },
    "put Places_LT_train.txt and Places_LT_val.txt of "
    "https://github.com/zhmiao/OpenLongTailRecognition-OLTR there, and beside "
    "them the small images (256 x 256) of Places365-Standard with easy "
    "directory structure (http://places2.csail.mit.edu/download.html), "
    "unpacked as the lists name them",
)
