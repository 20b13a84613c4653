"""Expected efficiency of data-parallel training: arithmetic, nothing measured.

A step of a device is its part of the products and then one all-reduce of the
gradient, neither of which waits for the other here; what overlaps makes it
better, a slow host or input worse.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """What a step computes and sends.

    Attributes:
        name: in words.
        parameters: trainable numbers, each sent as four bytes.
        multiplications: of one image's forward pass, each with an addition.
        batch: images of a step, over all devices.
    """

    name: str
    parameters: int
    multiplications: float
    batch: int


@dataclass(frozen=True)
class Accelerator:
    """One device and its way to the others.

    Attributes:
        name: in words.
        operations: bfloat16 a second, at most, as published.
        bytes_per_second: that a device sends while it receives as many.
        share: of the operations that training reaches; an assumption.
        hop_seconds: until a message has begun to arrive; an assumption.
    """

    name: str
    operations: float
    bytes_per_second: float
    share: float = 0.3
    hop_seconds: float = 5e-6


# Inception-v4 at 299 x 299, 1000 classes, at the study's batch. Parameters: the
# contract of models/inception_v4; multiplications: timm's table of models.
INCEPTION = Network("Inception-v4", 42_679_816, 12.28e9, 4096)
ACCELERATORS = (
    # Google Cloud's page of TPU v4: 275 teraflops, 2400 Gbit/s a chip over the
    # six links of its torus, half of it each way.
    Accelerator("TPU v4", 275e12, 150e9),
    # NVIDIA's data sheets of H100 SXM, 989 teraflops dense, and of DGX H100,
    # one 400 Gbit/s port for each GPU.
    Accelerator("H100, 400 Gbit/s each", 989e12, 50e9),
)
COUNTS = (8, 64, 512)


def compute_seconds(
    network: Network, accelerator: Accelerator, devices: int
) -> float:
    """Of one device's part of a step: a forward pass and twice that back."""
    images = network.batch / devices
    operations = 3 * 2 * network.multiplications * images
    return operations / (accelerator.share * accelerator.operations)


def reduce_seconds(
    network: Network, accelerator: Accelerator, devices: int
) -> float:
    """Of a ring's all-reduce: each device sends 2 (n - 1) / n of the bytes.

    The hops are those of a tree, up and down.
    """
    sent = 2 * (devices - 1) / devices * 4 * network.parameters
    hops = 2 * math.ceil(math.log2(devices))
    return sent / accelerator.bytes_per_second + hops * accelerator.hop_seconds


def efficiency(
    network: Network, accelerator: Accelerator, devices: int
) -> float:
    """The share of a step that computes."""
    compute = compute_seconds(network, accelerator, devices)
    return compute / (compute + reduce_seconds(network, accelerator, devices))


def rows(
    network: Network = INCEPTION,
    accelerators: Sequence[Accelerator] = ACCELERATORS,
    counts: Sequence[int] = COUNTS,
) -> list[tuple[str, ...]]:
    """A row for each accelerator and number of devices, as text."""
    return [
        (
            accelerator.name,
            str(count),
            f"{network.batch / count:g}",
            f"{1e3 * compute_seconds(network, accelerator, count):.1f}",
            f"{1e3 * reduce_seconds(network, accelerator, count):.1f}",
            f"{efficiency(network, accelerator, count):.2f}",
        )
        for accelerator in accelerators
        for count in counts
    ]


def markdown() -> str:
    """The table of ``docs/accelerators.md``."""
    head = ("accelerator", "devices", "images each", "compute, ms")
    head += ("all-reduce, ms", "efficiency")
    lines = [head, ("---",) * len(head), *rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
