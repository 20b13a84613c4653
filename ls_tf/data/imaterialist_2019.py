"""iMaterialist 2019, products: photographs of 2,019 kinds of products.

About 30 % of the training labels are wrong (Shen et al. 2021, table 5); those
of the validation images were cleaned. Classes have no names but their numbers.
The test images have no labels and are left out. The lists give addresses of
the web, of which some are gone: the set as it is here wants all images.
"""

from ls_tf.pipeline.contract import RecordInfo
from ls_tf.pipeline.listed import Listed, PictureList

INFO = RecordInfo(
    name="imaterialist_2019",
    sizes={"train": 1_011_532, "validation": 10_095},
    num_classes=2019,
    class_names=tuple(str(number) for number in range(2019)),
    licence="the competition's rules: research and education",
    source=(
        "https://github.com/msight-tech/imaterialist-product-2019, fetched by "
        "hand. iMaterialist challenge on product recognition at FGVC6, CVPR "
        "2019."
    ),
)

prepare = Listed(
    INFO,
    {
        "train": PictureList("train.json", "classes", "train"),
        "validation": PictureList("val.json", "classes", "val"),
    },
    "put train.json and val.json of "
    "https://github.com/msight-tech/imaterialist-product-2019 there, and the "
    "images that they name into its folders train and val, each under its id, "
    "with or without .jpg",
)
