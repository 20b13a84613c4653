"""The replication's CIFAR networks, their loop and their Pillow pipeline.

Written from the description of Wagner et al. 2023: AlexNet of TensorFlow's
tutorial with PyTorch's ``LocalResponseNorm`` of size 8 and the norms of the
two dense layers as decay; ResNet-56 with pre-activation and widths 16, 32, 64
and 128; images one by one through Pillow in two worker processes, divided
channel by channel; loss and correct answers read at every step.

Run as a program it is a worker of ``cifar_step.py``, in an environment with
PyTorch and Pillow; nothing of this project is imported.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import _common
import numpy as np
from _peer import SMOOTHING, WORKERS, Loop
from _workers import Work, private_stdout, serve
from PIL import Image, ImageOps

LEARNING_RATE = 0.01
LOSS_SCALE = 3.0
LOADER, RESIDENT, COMPILED = "loader", "resident", "compiled"
IMAGES, IMAGES_ALONE = "images, 2 workers", "images, 1 process"
SQUARE = "square {size}"
_MEAN, _STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
# Model -> zeros around the image, and side of the crop.
CROPS = {"alexnet": (0, 24), "resnet56": (4, 32)}
# Batches of a loader that were made in advance and are no gift; a step of the
# ResNet takes so long that they do not count.
_FIRST = {"alexnet": 2 * WORKERS + 1, "resnet56": 1}
_TRAINING_IMAGES = 50_000


def alexnet() -> Any:
    """The tutorial's network for crops of 24 x 24, as a module."""
    from torch import nn

    def norm() -> Any:
        return nn.LocalResponseNorm(8, alpha=0.001 / 9, beta=0.75, k=1.0)

    return nn.Sequential(
        nn.Conv2d(3, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1),
        norm(),
        nn.Conv2d(64, 64, 5, padding=2),
        nn.ReLU(),
        norm(),
        nn.MaxPool2d(3, 2, padding=1),
        nn.Flatten(),
        nn.Linear(6 * 6 * 64, 384),
        nn.ReLU(),
        nn.Linear(384, 192),
        nn.ReLU(),
        nn.Linear(192, 10),
    )


def resnet56() -> Any:
    """ResNet-56 with pre-activation and nothing after the last sum."""
    import torch
    from torch import nn

    def conv(inputs: int, outputs: int, kernel: int, stride: int) -> Any:
        return nn.Conv2d(
            inputs, outputs, kernel, stride, padding=kernel // 2, bias=False
        )

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = (
                nn.BatchNorm2d(inputs),
                nn.BatchNorm2d(outputs),
            )
            self.conv1 = conv(inputs, outputs, 3, stride)
            self.conv2 = conv(outputs, outputs, 3, 1)
            self.shortcut = (
                None
                if inputs == outputs
                else nn.Sequential(
                    conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
                )
            )

        def forward(self, x: Any) -> Any:
            active = torch.relu(self.norm1(x))
            skip = x if self.shortcut is None else self.shortcut(active)
            y = self.conv1(active)
            return self.conv2(torch.relu(self.norm2(y))) + skip

    blocks = []
    inputs = 16
    for group, width in enumerate((32, 64, 128)):
        for number in range(9):
            stride = 2 if group and not number else 1
            blocks.append(Block(inputs, width, stride))
            inputs = width
    return nn.Sequential(
        conv(3, 16, 3, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inputs, 10),
    )


def loop(model: str, *, compiled: bool) -> Loop:
    """The network, its optimizer and its loss, ready to take steps.

    Args:
        model: "alexnet" or "resnet56".
        compiled: through ``torch.compile``.
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    entropy = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    if model == "alexnet":
        network = alexnet()
        decayed = [network[9].weight, network[11].weight]

        def loss(logits: Any, labels: Any) -> Any:
            # The norms themselves, not half their squares, as they have it.
            decay = 0.04 * sum(torch.linalg.vector_norm(w) for w in decayed)
            return LOSS_SCALE * entropy(logits, labels) + decay

        optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
        return Loop(network, optimizer, loss, compiled=compiled)
    network = resnet56()
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=LEARNING_RATE,
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-4,
    )
    return Loop(
        network,
        optimizer,
        lambda logits, labels: LOSS_SCALE * entropy(logits, labels),
        compiled=compiled,
        clip=1.0,
    )


def augmented(image: np.ndarray, padding: int, size: int) -> Any:
    """Crops, flips and scales one image with torchvision's work for it.

    Random numbers come from tensors; the tensor of the image is made, laid
    out anew, scaled, copied and divided. torchvision's checks are left out,
    so this is quicker than the original.

    Args:
        image: uint8 [32, 32, 3].
        padding: zeros on each side before the crop.
        size: side of the crop.

    Returns:
        torch.Tensor: float32 [3, size, size].
    """
    import torch

    picture = Image.fromarray(image)
    if padding:
        picture = ImageOps.expand(picture, border=padding, fill=0)
    width, height = picture.size
    top = int(torch.randint(0, height - size + 1, size=(1,)).item())
    left = int(torch.randint(0, width - size + 1, size=(1,)).item())
    picture = picture.crop((left, top, left + size, top + size))
    if torch.rand(1) < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = torch.from_numpy(np.array(picture))
    tensor = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
    mean, std = torch.as_tensor(_MEAN), torch.as_tensor(_STD)
    return tensor.clone().sub_(mean[:, None, None]).div_(std[:, None, None])


def loader(
    model: str, data: tuple[np.ndarray, np.ndarray], batch: int, workers: int
) -> Any:
    """Makes the replication's input: images one by one.

    Args:
        model: whose crops.
        data: images uint8 [N, 32, 32, 3] and labels int64 [N].
        batch: B.
        workers: processes; 0 makes the batches in this one.

    Returns:
        torch.utils.data.DataLoader: of float32 [B, 3, size, size], int64 [B].
    """
    import torch

    images, labels = data
    padding, size = CROPS[model]

    class Photographs(torch.utils.data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            found = augmented(images[index], padding, size)
            return found, int(labels[index])

    return torch.utils.data.DataLoader(
        Photographs(), batch, shuffle=True, num_workers=workers, drop_last=True
    )


def _endless(batch: Any) -> Iterator[Any]:
    while True:
        yield batch


def _timed(work: Any, *arguments: Any) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def works(
    models: list[str], batch: int, skip: list[str]
) -> tuple[dict[str, Work], dict[str, str]]:
    """All that can be timed; and what cannot, with the reason.

    Args:
        models: of ``CROPS``.
        batch: B.
        skip: "compile" leaves ``torch.compile`` out.
    """
    rng = np.random.default_rng(0)
    shape = (_TRAINING_IMAGES, 32, 32, 3)
    images = rng.integers(0, 256, shape, np.uint8)
    data = images, rng.integers(0, 10, _TRAINING_IMAGES, np.int64)
    found: dict[str, Work] = {}
    skipped: dict[str, str] = {}
    for model in models:
        found |= _inputs(model, data, batch)
        first = next(iter(loader(model, data, batch, 0)))
        eager = loop(model, compiled=False)
        found[f"{model}: {RESIDENT}"] = lambda n, own=eager, one=first: _timed(
            own.train, _endless(one), n
        )
        name = f"{model}: {COMPILED}"
        if "compile" in skip:
            skipped[name] = "left out by --skip"
            continue
        _common.say(f"{model}: torch.compile")
        compiled = loop(model, compiled=True)
        try:
            compiled.train(_endless(first), 2)
        except Exception as error:  # Its back end raises anything.
            line = " ".join(str(error).split())[:200]
            skipped[name] = f"{type(error).__name__}: {line}"
            continue
        found[name] = lambda n, own=compiled, one=first: _timed(
            own.train, _endless(one), n
        )
    return found, skipped


def _inputs(
    model: str, data: tuple[np.ndarray, np.ndarray], batch: int
) -> dict[str, Work]:
    """The loop with its loader, and images of the loader alone."""
    first = _FIRST[model]
    batches = loader(model, data, batch, WORKERS)
    alone = loader(model, data, batch, 0)
    peer = loop(model, compiled=False)

    def train(steps: int) -> float:
        return peer.timed_with_loader(batches, steps, first) * steps

    def images(source: Any, number: int) -> float:
        iterator = iter(source)
        for _ in range(2 * WORKERS + 1):
            next(iterator)
        return _timed(lambda: [next(iterator) for _ in range(number // batch)])

    return {
        f"{model}: {LOADER}": train,
        f"{model}: {IMAGES}": lambda n: images(batches, n),
        f"{model}: {IMAGES_ALONE}": lambda n: images(alone, n),
    }


def squares(sizes: list[int]) -> dict[str, Work]:
    """Products of square matrices, in floating-point operations."""
    import torch

    def work(size: int) -> Work:
        a = torch.ones((size, size))
        return lambda flop: _timed(
            lambda: [torch.mm(a, a) for _ in range(flop // (2 * size**3))]
        )

    return {SQUARE.format(size=size): work(size) for size in sizes}


def main() -> None:
    """Serves; the argument is JSON: models, batch, skip, sizes."""
    answers = private_stdout()
    settings = json.loads(sys.argv[1])
    import torch

    torch.set_num_threads(_common.cpus())
    found, skipped = works(
        settings["models"], settings["batch"], settings["skip"]
    )
    facts = {
        "skipped": skipped,
        "versions": _common.versions("torch", "pillow"),
    }
    serve(answers, facts, found | squares(settings["sizes"]))


if __name__ == "__main__":
    main()
