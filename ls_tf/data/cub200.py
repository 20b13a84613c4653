"""Caltech-UCSD Birds 200-2011: photographs of 200 species of birds.

Labels count the species as the set numbers them, from 1; the numbers are the
names here. Bounding boxes and masks are not read.
"""

from ls_tf.pipeline.contract import RecordInfo

INFO = RecordInfo(
    name="cub200",
    sizes={"train": 5_994, "test": 5_794},
    num_classes=200,
    class_names=tuple(f"{number:03d}" for number in range(1, 201)),
    licence="none stated; research and education, by the photographers",
    source=(
        "TFDS caltech_birds2011, 1.1 GiB. C. Wah, S. Branson, P. Welinder, "
        "P. Perona and S. Belongie, The Caltech-UCSD Birds-200-2011 dataset, "
        "technical report CNS-TR-2011-001, 2011."
    ),
    tfds="caltech_birds2011",
)
