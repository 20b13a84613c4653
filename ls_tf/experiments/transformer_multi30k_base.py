"""Transformer base on Multi30k, English to German.

Source: ours; the network of ``transformer_ende`` with the recipe of
``transformer_multi30k``; for an accelerator.
Run: python run_experiment.py --experiment=transformer_multi30k_base
"""

from ls_tf.experiments import transformer_ende, transformer_multi30k
from ls_tf.spec import override

SPEC = override(
    transformer_multi30k.SPEC,
    {
        "model.options.hidden_size": 512,
        "model.options.filter_size": 2048,
        "model.options.num_heads": 8,
        "model.options.num_encoder_layers": 6,
        "model.options.num_decoder_layers": 6,
        "train.epochs": 24,
        "train.global_batch_tokens": (
            transformer_ende.SPEC.train.global_batch_tokens
        ),
        "schedule.options.warmup_steps": 2000,
        "schedule.options.hidden_size": 512,
    },
)
