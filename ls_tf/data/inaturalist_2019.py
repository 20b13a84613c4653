"""iNaturalist 2019: photographs of 1,010 species.

Labels are the set's category ids, and their numbers are the names here. Its
test images have no labels and are left out.
"""

from ls_tf.pipeline.contract import RecordInfo
from ls_tf.pipeline.listed import Listed, PictureList

INFO = RecordInfo(
    name="inaturalist_2019",
    sizes={"train": 265_213, "validation": 3_030},
    num_classes=1010,
    class_names=tuple(str(number) for number in range(1010)),
    licence="iNaturalist's terms: non-commercial research and education",
    source=(
        "https://github.com/visipedia/inat_comp/tree/master/2019, 74 GB, "
        "fetched by hand. iNaturalist competition at FGVC6, CVPR 2019."
    ),
)

prepare = Listed(
    INFO,
    {
        "train": PictureList("train2019.json", "coco"),
        "validation": PictureList("val2019.json", "coco"),
    },
    "unpack there train_val2019.tar.gz (74 GB, MD5 "
    "c60a6e2962c9b8ccbd458d12c8582644), train2019.json.tar.gz (MD5 "
    "b06a6683537867c0d5c7a45f407a306d) and val2019.json.tar.gz (MD5 "
    "5cc5509b0fe495f1c8c1362612448497) of "
    "https://github.com/visipedia/inat_comp/tree/master/2019",
)
