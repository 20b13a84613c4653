"""Networks, one module each; `build` gives a keras.Model."""
