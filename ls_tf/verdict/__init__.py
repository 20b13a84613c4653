"""What smoothing did to a network, from its logits: numbers, words, a page."""
