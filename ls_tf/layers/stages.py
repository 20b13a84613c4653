"""Checks of the options that residual networks share."""

from collections.abc import Sequence


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuses a value that is not one of those known."""
    if value not in known:
        raise ValueError(f"wanted {name} of {', '.join(known)}, got {value!r}")


def check_stages(
    num_classes: int,
    image_shape: Sequence[int],
    blocks: Sequence[int],
    widths: Sequence[int],
    stem_width: int,
    stem_kernel: int,
) -> None:
    """Refuses sizes that no network of a stem and groups of blocks has.

    Args:
        num_classes: K.
        image_shape: height, width, channels.
        blocks: of each group.
        widths: of each group, in channels.
        stem_width: channels of the first convolution.
        stem_kernel: its height and width, in pixels.

    Raises:
        ValueError: naming the option and what was wanted.
    """
    if num_classes < 2:
        raise ValueError(f"wanted num_classes of 2 or more, got {num_classes}")
    if len(image_shape) != 3 or any(size < 1 for size in image_shape):
        raise ValueError(
            "wanted image_shape of height, width and channels, "
            f"got {tuple(image_shape)}"
        )
    if not blocks or any(count < 1 for count in blocks):
        raise ValueError(
            f"wanted blocks of 1 or more in each group, got {tuple(blocks)}"
        )
    if len(widths) != len(blocks) or any(width < 1 for width in widths):
        raise ValueError(
            f"wanted a positive width for each of {len(blocks)} groups, "
            f"got widths {tuple(widths)}"
        )
    if stem_width < 1:
        raise ValueError(f"wanted stem_width of 1 or more, got {stem_width}")
    if stem_kernel < 1 or stem_kernel % 2 == 0:
        raise ValueError(f"wanted an odd stem_kernel, got {stem_kernel}")
