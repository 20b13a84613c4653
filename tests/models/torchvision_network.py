"""A program for tests: a random network of torchvision and its answers.

Arguments: name of the network, side of the images, output file.
"""

import sys

import numpy as np
import torch
from torchvision import models


def main(name, side, out):
    torch.manual_seed(0)
    network = getattr(models, name)(weights=None).eval()
    draw = np.random.default_rng(0)
    images = draw.standard_normal((2, int(side), int(side), 3))
    images = images.astype("float32")
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.ndim == 1:  # biases and normalizations
                drawn = draw.uniform(0.5, 1.0, value.shape)
                value.copy_(torch.from_numpy(drawn))
        logits = network(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    state = network.state_dict().items()
    np.savez(
        out,
        images=images,
        logits=logits.numpy(),
        parameters=sum(p.numel() for p in network.parameters()),
        **{f"state/{k}": v.numpy() for k, v in state},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
