"""A trained model and a split in, numbers and arrays out."""
