"""A translation that is built in a second; `transformer_numbers`, shrunk."""

CHANGES = {
    "data.train": "train[:300]",
    "data.calibrate": "validation[:12]",
    "data.report": "test[:20]",
    "data.vocabulary_size": 400,
    "model.options.hidden_size": 16,
    "model.options.filter_size": 32,
    "model.options.num_heads": 2,
    "model.options.num_encoder_layers": 1,
    "model.options.num_decoder_layers": 1,
    "train.global_batch_tokens": 256,
    "train.steps": 4,
}
