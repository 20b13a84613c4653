"""ImageNet-LT: a long tail of ImageNet, 1,280 to 5 images of a class.

Labels are those of ``imagenet``. The lists name images of its training and
validation sets; ``validation`` is their 20 images of each class.
"""

from ls_tf.data import imagenet
from ls_tf.pipeline.contract import RecordInfo
from ls_tf.pipeline.listed import Listed, PictureList

INFO = RecordInfo(
    name="imagenet_lt",
    sizes={"train": 115_846, "validation": 20_000},
    num_classes=1000,
    class_names=imagenet.INFO.class_names,
    licence="ImageNet's terms of access: research and education",
    source=(
        "lists beside ImageNet's images, fetched by hand. Z. Liu, Z. Miao, "
        "X. Zhan, J. Wang, B. Gong and S. Yu, Large-scale long-tailed "
        "recognition in an open world, CVPR 2019, arXiv:1904.05160."
    ),
)

prepare = Listed(
    INFO,
    {
        "train": PictureList("ImageNet_LT_train.txt", "lines"),
        "validation": PictureList("ImageNet_LT_val.txt", "lines"),
    },
    "put ImageNet_LT_train.txt and ImageNet_LT_val.txt of "
    "https://github.com/zhmiao/OpenLongTailRecognition-OLTR there, and beside "
    "them the images of ILSVRC 2012 (https://image-net.org/download-images, an "
    "account is needed), unpacked to train/n01440764/n01440764_190.JPEG and "
    "so on, as the lists name them",
)
