"""Which networks, data sets and measurements the replication has, and we.

The table is written from the experiments themselves, and needs no run.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ls_tf.pages import declared
from ls_tf.pages.blocks import Block, Text
from ls_tf.pages.tables import yes_no
from ls_tf.spec import ExperimentSpec, registry

ACCURACY = "accuracy"
PROJECTION = "projection"
CALIBRATION = "calibration"
DISTILLATION = "distillation"
MEASURES = (ACCURACY, PROJECTION, CALIBRATION, DISTILLATION)

# Evaluators that show that an experiment measures something.
_SHOW = {
    "classification": ACCURACY,
    "translation": ACCURACY,
    "penultimate": PROJECTION,
    "token_projection": PROJECTION,
    "reliability": CALIBRATION,
    "token_calibration": CALIBRATION,
}


@dataclass(frozen=True)
class _Row:
    """A network on a data set, as the replication has it."""

    name: str
    experiment: str  # ours, of the same network and data
    printed: tuple[str, ...]


_ROWS = (
    _Row("MNIST FC", "fc_mnist", MEASURES),
    _Row("EMNIST FC", "fc_emnist", (ACCURACY, CALIBRATION)),
    _Row("Fashion-MNIST FC", "fc_fashion_mnist", (ACCURACY, CALIBRATION)),
    _Row("CIFAR-10 AlexNet", "alexnet_cifar10", MEASURES),
    _Row(
        "CIFAR-10 ResNet-56",
        "resnet56_cifar10",
        (ACCURACY, CALIBRATION, DISTILLATION),
    ),
    _Row("CIFAR-100 ResNet-56", "resnet56_cifar100", MEASURES[:3]),
    _Row("CUB-200-2011 ResNet-34", "resnet34_cub200", MEASURES[:3]),
    _Row("Tiny ImageNet ResNet-50", "resnet50_tiny_imagenet", MEASURES[:3]),
    _Row("Multi30k Transformer", "transformer_multi30k", (CALIBRATION,)),
)

Specs = Mapping[str, ExperimentSpec]


def _specs() -> dict[str, ExperimentSpec]:
    package = "ls_tf.experiments"
    return {
        name: registry.get(package, name).SPEC
        for name in registry.names(package)
    }


def _network(spec: ExperimentSpec) -> tuple[str, str]:
    return spec.model.name, spec.data.name


def _measured(specs: Specs) -> dict[tuple[str, str], dict[str, list[str]]]:
    """Network -> measure -> the experiments that make it."""
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(
        lambda: {measure: [] for measure in MEASURES}
    )
    for name, spec in specs.items():
        of = found[_network(spec)]
        for measure in {
            _SHOW[e.name] for e in spec.evaluators if e.name in _SHOW
        }:
            of[measure].append(name)
        if spec.teacher is not None:
            of[DISTILLATION].append(name)
            teachers = found[_network(specs[spec.teacher.experiment])]
            if name not in teachers[DISTILLATION]:
                teachers[DISTILLATION].append(name)
    return found


def blocks() -> Iterable[Block]:
    """Says what is measured of which network, and by which experiments.

    Yields:
        A text and the table ``experiments``.

    Source: Wagner et al. 2023, tables 1 and 5.
    """
    specs = _specs()
    measured = _measured(specs)

    def ours(row: _Row) -> Mapping[str, list[str]]:
        return measured[_network(specs[row.experiment])]

    def both(row: _Row, measure: str) -> str:
        return (
            f"{yes_no(measure in row.printed)} / "
            f"{yes_no(bool(ours(row)[measure]))}"
        )

    missing = [
        f"{row.name}: {measure}"
        for row in _ROWS
        for measure in row.printed
        if not ours(row)[measure]
    ]
    yield Text(
        "Wagner et al. measure accuracy, the projection of the penultimate "
        "layer, calibration and distillation, not all of them of every "
        "network. The experiments here measure "
        + (
            f"all of these but {', '.join(missing)}."
            if missing
            else "them all."
        )
        + " A network counts as distilled if it teaches or is taught."
    )
    yield declared.table(
        "experiments",
        "What is measured of each network: Wagner et al. 2023, tables 1 and "
        "5 / here.",
        _ROWS,
        ("network", lambda row: row.name, ""),
        *declared.each(
            MEASURES,
            str,
            both,
            "",
        ),
        (
            "experiments",
            lambda row: ", ".join(
                sorted({n for names in ours(row).values() for n in names})
            ),
            "",
        ),
    )
