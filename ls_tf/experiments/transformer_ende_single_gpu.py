"""Transformer base with tensor2tensor's settings for a single GPU.

Source: tensor2tensor's transformer_base_single_gpu. Mueller et al. 2019, App.
A.3, speak of single GPU training but name transformer_base, which is
``transformer_ende``.
Run: python run_experiment.py --experiment=transformer_ende_single_gpu
"""

import dataclasses

from ls_tf.experiments import transformer_ende
from ls_tf.spec import Part, override

SPEC = override(
    dataclasses.replace(
        transformer_ende.SPEC,
        schedule=Part("rsqrt_with_warmup", {"warmup_steps": 16_000}),
    ),
    {"train.global_batch_tokens": 1024, "learning_rate": 0.1},
)
