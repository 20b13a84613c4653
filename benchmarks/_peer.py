"""What a user would run instead: per-image Pillow and a PyTorch loop.

Written from the description of the PyTorch replication, Wagner et al. 2023:
a random shift of every image by Pillow, a loader with two worker processes,
momentum with dampening and two parameter groups, and the loss and the number
of correct answers read from the device at every step.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

REACH = 0.07143  # of the image's side: two pixels of 28
WORKERS = 2
MOMENTUM = 0.9
SMOOTHING = 0.1


def shifted(image: np.ndarray) -> Image.Image:
    """Moves one image by a random number of whole pixels.

    It asks of Pillow what torchvision's ``RandomAffine(0, (REACH, REACH))``
    asks of it, and leaves out torchvision's own checks and its random numbers
    from tensors: quicker than the original.

    Args:
        image: uint8 [H, W].
    """
    height, width = image.shape
    x = round(random.uniform(-REACH * width, REACH * width))
    y = round(random.uniform(-REACH * height, REACH * height))
    return Image.fromarray(image).transform(
        (width, height),
        Image.Transform.AFFINE,
        (1.0, 0.0, -x, 0.0, 1.0, -y),
        resample=Image.Resampling.NEAREST,
        fillcolor=0,
    )


def augmented(image: np.ndarray, *, lean: bool) -> np.ndarray:
    """Shifts and scales one image: uint8 [H, W] -> float32 [H, W].

    Args:
        image: uint8 [H, W].
        lean: with as little work as Pillow allows, instead of what
            torchvision does for it.
    """
    moved = shifted(image) if lean else shifted_as_torchvision(image)
    return np.asarray(moved, np.float32) / np.float32(255)


def _uniform(low: float, high: float) -> float:
    """A random number as torchvision draws it: a tensor of one element."""
    import torch

    return float(torch.empty(1).uniform_(low, high).item())


def shifted_as_torchvision(image: np.ndarray) -> Image.Image:
    """Moves one image with the work that torchvision does for it.

    The library draws an angle even from an empty range, takes every random
    number from a tensor, and builds the inverse of a general affine map. Its
    checks of types and sizes are left out, so this is still quicker.

    Args:
        image: uint8 [H, W].
    """
    height, width = image.shape
    angle = math.radians(_uniform(0.0, 0.0))
    x = round(_uniform(-REACH * width, REACH * width))
    y = round(_uniform(-REACH * height, REACH * height))
    cos, sin = math.cos(angle), math.sin(angle)
    # The inverse of: rotate about the middle, then move by (x, y).
    matrix = [cos, sin, 0.0, -sin, cos, 0.0]
    middle = ((width - 1) / 2, (height - 1) / 2)
    for row, centre in ((0, middle[0]), (3, middle[1])):
        matrix[row + 2] = (
            matrix[row] * (-x - middle[0])
            + matrix[row + 1] * (-y - middle[1])
            + centre
        )
    return Image.fromarray(image).transform(
        (width, height),
        Image.Transform.AFFINE,
        matrix,
        resample=Image.Resampling.NEAREST,
        fillcolor=0,
    )


def loader(
    images: np.ndarray, labels: np.ndarray, batch_size: int, *, lean: bool
) -> Any:
    """Makes the replication's input: images one by one, in two processes.

    Args:
        images: uint8 [N, 28, 28].
        labels: int [N].
        batch_size: B.
        lean: with as little work for an image as Pillow allows, instead of
            what torchvision does.

    Returns:
        torch.utils.data.DataLoader: of float32 [B, 1, 28, 28], int64 [B].
    """
    import torch

    shift = shifted if lean else shifted_as_torchvision

    class Digits(torch.utils.data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            pixels = torch.from_numpy(np.array(shift(images[index])))
            if not lean:  # [H, W] -> [H, W, 1] -> [1, H, W]
                pixels = pixels[:, :, None].permute(2, 0, 1).contiguous()
            else:
                pixels = pixels[None]
            return pixels.to(torch.float32).div(255), int(labels[index])

    return torch.utils.data.DataLoader(
        Digits(), batch_size, shuffle=True, num_workers=WORKERS, drop_last=True
    )


class Loop:
    """The replication's loop: a network, its optimizer and its loss."""

    def __init__(
        self,
        network: Any,
        optimizer: Any,
        loss: Callable[[Any, Any], Any],
        *,
        compiled: bool = False,
        clip: float = 0.0,
    ) -> None:
        """Takes the parts.

        Args:
            network: a module of PyTorch.
            optimizer: of its parameters.
            loss: (logits, labels) -> what is minimised.
            compiled: through ``torch.compile``.
            clip: largest global norm of the gradient; 0 for any.
        """
        self._network, self._optimizer = network, optimizer
        self._loss, self._clip = loss, clip
        self._call = network
        if compiled:
            import torch

            self._call = torch.compile(network)

    def train(self, batches: Iterator[Any], count: int) -> tuple[float, float]:
        """Runs steps; returns mean loss and accuracy.

        Args:
            batches: of (images, labels).
            count: how many steps.

        Raises:
            RuntimeError: the loss is not finite.
        """
        total = correct = examples = 0.0
        for _ in range(count):
            images, labels = next(batches)
            self._optimizer.zero_grad()
            logits = self._call(images)
            loss = self._loss(logits, labels)
            loss.backward()
            if self._clip:
                self._clipped()
            self._optimizer.step()
            total += loss.item() * len(labels)
            right = (logits.argmax(dim=1) == labels).float().sum()
            correct += right.item()
            examples += len(labels)
        if not np.isfinite(total):
            raise RuntimeError(f"wanted a finite loss, got {total}")
        return total / examples, correct / examples

    def _clipped(self) -> None:
        from torch.nn.utils import clip_grad_norm_

        clip_grad_norm_(self._network.parameters(), self._clip)

    def timed_with_loader(self, batches: Any, count: int, first: int) -> float:
        """Times steps that take their batches from a loader.

        Workers are started, and have their first batches taken from them,
        before the clock starts: what they made in advance is no gift.

        Args:
            batches: the loader.
            count: steps to time.
            first: steps before these.

        Returns:
            float: seconds per step.
        """
        iterator = iter(batches)
        self.train(iterator, first)
        began = time.perf_counter()
        self.train(iterator, count)
        return (time.perf_counter() - began) / count


class Peer(Loop):
    """The loop with the network of MNIST."""

    def __init__(self, *, learning_rate: float, compiled: bool = False) -> None:
        """Makes the network 784-1200-1200-10.

        Args:
            learning_rate: of the hidden layers; the last one has a tenth.
            compiled: through ``torch.compile``.
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        hidden = [
            nn.Flatten(),
            nn.Linear(784, 1200),
            nn.ReLU(),
            nn.Linear(1200, 1200),
            nn.ReLU(),
        ]
        last = nn.Linear(1200, 10)
        network = nn.Sequential(*hidden, last)
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.03)
        body = [p for layer in hidden for p in layer.parameters()]
        optimizer = torch.optim.SGD(
            [
                {"params": body, "lr": learning_rate},
                {"params": last.parameters(), "lr": learning_rate / 10},
            ],
            lr=learning_rate,
            momentum=MOMENTUM,
            dampening=MOMENTUM,
        )
        loss = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
        super().__init__(network, optimizer, loss, compiled=compiled)
