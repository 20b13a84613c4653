"""What a run computes: model, data and loss put together."""
