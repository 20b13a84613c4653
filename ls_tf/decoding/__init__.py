"""From a model's next-token distribution to whole sentences."""
