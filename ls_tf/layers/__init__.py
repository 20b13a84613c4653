"""What models are built of: layers, initial weights, what a model promises."""
