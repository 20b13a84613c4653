"""Transformer base on the WMT 2014 English-German corpus.

Source: ours; ``transformer_ende`` on the corpus that later papers use, with
newstest2014 to report on, which the study never does.
Run: python run_experiment.py --experiment=transformer_wmt14_ende
"""

import dataclasses

from ls_tf.experiments import transformer_ende
from ls_tf.spec import override

SPEC = override(
    dataclasses.replace(
        transformer_ende.SPEC,
        smoke={**transformer_ende.SPEC.smoke, "data.report": "test[:32]"},
    ),
    {
        "data.name": "wmt14_ende",
        "data.report": "test",
        "data.same_split_reason": "",
    },
)
