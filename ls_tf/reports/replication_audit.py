"""Where the replication's code departs from its text, and what that changes.

Every number is computed from records. A point whose runs are not there says
"not measured" with the command; the page is built from whatever there is.

Source: Wagner et al. 2023 and its code, github.com/sdwagner/re-labelsmoothing.
Run: python run_experiment.py --report=replication_audit
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ls_tf.pages import declared, distillation, networks, tables
from ls_tf.pages import replication_effects as effects
from ls_tf.pages.blocks import Block, Command, Need, Text
from ls_tf.pages.declared import Records
from ls_tf.spec import Value
from ls_tf.spec.resolve import resolve

TITLE = "The replication's code, point by point"
PARTIAL = True

_Changes = Mapping[str, Value]

_TEXT = "not a number of ours"


@dataclass(frozen=True)
class _Point:
    """One departure.

    Attributes:
        code: what the code does.
        wanted: what its text, or Mueller et al., say.
        effect: the effect in words, from the runs by their names; None where
            one is missing.
        runs: name -> experiment and changes.
        seeds: of the runs.
    """

    code: str
    wanted: str
    effect: Callable[[effects.Of], str | None]
    runs: Mapping[str, tuple[str, _Changes]]
    seeds: tuple[int, ...] = (0,)

    def needs(self) -> Iterable[Need]:
        for name, (experiment, changes) in self.runs.items():
            for seed in self.seeds:
                yield Need(experiment, changes, seed, True, name)

    def measured(self, records: Records) -> str | None:
        """The effect, of the seeds that all have; None if a run is missing."""
        found = {
            name: tables.by_seed(records, *run)
            for name, run in self.runs.items()
        }
        seeds = declared.shared(found.values())
        if found and not seeds:
            return None
        return self.effect(lambda name: {s: found[name][s] for s in seeds})

    def commands(self, records: Records) -> str:
        """How to make the runs of the first seed that are missing."""
        return "; ".join(
            resolve(experiment, changed=changes).command()
            for experiment, changes in self.runs.values()
            if self.seeds[0] not in tables.by_seed(records, experiment, changes)
        )


_MULTI30K = {
    "alpha 0": ("transformer_multi30k", {"alpha": 0.0}),
    "alpha 0.1": ("transformer_multi30k", {"alpha": 0.1}),
}
_ITS_NETWORK = {
    "its network, alpha 0": ("transformer_multi30k_re", {"alpha": 0.0})
}
_ITS_NETWORKS = {
    **_ITS_NETWORK,
    "its network, alpha 0.1": ("transformer_multi30k_re", {"alpha": 0.1}),
}
_MNIST = {
    "alpha 0": ("fc_mnist", {"alpha": 0.0}),
    "alpha 0.1": ("fc_mnist", {"alpha": 0.1}),
}
_STUDENT = "alexnet_cifar10_student_120th"
_SHORT = "alexnet_cifar10_24_short"
_RESNET = "resnet20_cifar10_short"


def _students() -> dict[str, tuple[str, _Changes]]:
    setting = distillation.Setting("", "", _STUDENT, (), (0,), ())
    runs: dict[str, tuple[str, _Changes]] = {}
    for pair in effects.SWAPPED:
        for alpha in pair:
            runs[f"teacher, alpha {alpha:g}"] = setting.run(
                distillation.TEACHER, alpha
            )
            runs[f"student, alpha {alpha:g}"] = setting.run(
                distillation.BY_SMOOTHED, alpha
            )
    return runs


def _short(**changes: Value) -> tuple[str, _Changes]:
    return _SHORT, {"alpha": 0.0, **changes}


def _variant(name: str, changes: _Changes) -> dict[str, tuple[str, _Changes]]:
    return {"as the tutorial": _short(), name: _short(**changes)}


def _resnet(name: str, changes: _Changes) -> dict[str, tuple[str, _Changes]]:
    hard = {"alpha": 0.0}
    return {
        "as M": (_RESNET, hard),
        name: (_RESNET, {**hard, **changes}),
    }


_NORM = "norm"
_POINTS = (
    _Point(
        "Multi30k: ECE and accuracy count padding",
        "subwords alone",
        effects.padding(*_MULTI30K),
        _MULTI30K,
    ),
    _Point(
        "the same",
        "the same",
        effects.padding(*_ITS_NETWORKS),
        _ITS_NETWORKS,
    ),
    _Point(
        "Multi30k: the softmax of the NLL is over positions, "
        "log_softmax's implicit axis",
        "over the vocabulary",
        effects.over_positions,
        _ITS_NETWORK,
    ),
    _Point(
        "Multi30k: greedy; T divides the hidden state before a biased layer",
        "M: beam search; T divides logits",
        effects.hidden,
        _ITS_NETWORK,
    ),
    *(
        _Point("the same", "the same", effects.beam(*runs), runs)
        for runs in (_ITS_NETWORKS, _MULTI30K)
    ),
    _Point(
        "Multi30k: BLEU compares spaCy's tokens with words that punctuation "
        "sticks to",
        "both sides split alike",
        effects.glued,
        {"alpha 0": _MULTI30K["alpha 0"]},
    ),
    _Point(
        "MNIST: a student's logits match the teacher's probabilities",
        "M: logits match logits",
        effects.pair(effects.ERROR, "logits", "probabilities"),
        {
            "logits": ("fc_mnist_student", {}),
            "probabilities": (
                "fc_mnist_student",
                {
                    "loss.name": "logit_matching",
                    "loss.options.reduction": "mean",
                    "loss.options.teacher": "probabilities",
                },
            ),
        },
    ),
    _Point(
        "CIFAR-10: teachers of alpha .45, .6, .75 are saved over those of 0, "
        ".15, .3",
        "six teachers",
        effects.overwritten,
        _students(),
    ),
    _Point(
        "AlexNet: the penalty is 0.04 times the norm of two matrices",
        "0.04 times half the squared norm",
        effects.pair(effects.ACCURACY, "as the tutorial", _NORM),
        _variant(_NORM, {"train.decay_of": "norm"}),
    ),
    _Point(
        "the same",
        "the same; nearest that is measured: a tenth of the decay",
        effects.pair(effects.ACCURACY, "as the tutorial", "decay / 10"),
        _variant("decay / 10", {"train.weight_decay": 0.004}),
    ),
    _Point(
        "AlexNet: PyTorch divides the normalization's alpha by its window, "
        "which is 8 channels",
        "alpha 0.001 / 9 over 9 channels",
        effects.pair(effects.ACCURACY, "as the tutorial", "alpha / 8"),
        _variant("alpha / 8", {"model.options.norm_alpha": 0.001 / 9 / 8}),
    ),
    _Point(
        "AlexNet: the last layer starts with all weights at -1/96",
        "a Gaussian, cut at two deviations",
        effects.pair(effects.ACCURACY, "as the tutorial", "constant"),
        _variant("constant", {"model.options.constant_logits": True}),
    ),
    _Point(
        "CIFAR-10: the ResNet, too, is trained on crops of 24 x 24",
        "M: of 32 x 32, after zeros all around; only the student's pipeline "
        "may be 24 x 24",
        effects.pair(effects.ACCURACY, "as M", "24 x 24"),
        _resnet("24 x 24", {"data.augmentation": "tutorial_24_plain"}),
    ),
    _Point(
        "CIFAR-100: the ResNet's first filters are 7 x 7",
        "M: “kernel size 3 instead of 7”; R reads it of CIFAR-10 alone",
        effects.pair(effects.ACCURACY, "as M", "7 x 7"),
        _resnet("7 x 7", {"model.options.stem_kernel": 7}),
    ),
    _Point(
        "T is chosen by the ECE of the images that are reported",
        "M does not say how",
        effects.fitted,
        {"MNIST, alpha 0": _MNIST["alpha 0"]},
        networks.SEEDS,
    ),
    _Point(
        "error bands are the binomial standard error of one run",
        "M: lowest, mean and highest of five seeds",
        effects.binomial,
        _MNIST,
        networks.SEEDS,
    ),
    _Point(
        "MNIST: the hard-target teacher has dropout, the smoothed one has not "
        "(as in M)",
        "smoothing is all they should differ in",
        effects.pair(effects.ERROR, "with dropout", "without"),
        {
            "with dropout": ("fc_mnist_dropout", {}),
            "without": _MNIST["alpha 0"],
        },
        networks.SEEDS,
    ),
    _Point(
        "MNIST: batches of 512",
        "M: not stated; 100 here, as Hinton et al.",
        effects.pair(effects.ERROR, "100", "512"),
        {
            "100": ("fc_mnist", {"alpha": 0.0}),
            "512": (
                "fc_mnist",
                {"alpha": 0.0, "train.global_batch_size": 512},
            ),
        },
        networks.SEEDS,
    ),
    _Point(
        "MNIST: dropout of 0.5 in the hidden layers alone",
        "M: not stated; here 0.2 of the input, too, as Hinton et al.",
        effects.pair(effects.ERROR, "with the input's", "without"),
        {
            "with the input's": ("fc_mnist_dropout", {}),
            "without": (
                "fc_mnist_dropout",
                {"model.options.input_dropout_rate": 0.0},
            ),
        },
    ),
    _Point(
        "MNIST: weights of standard deviation 0.03",
        "M: variance 0.03",
        effects.pair(
            effects.ERROR, "deviation, 2 epochs", "variance, 2 epochs"
        ),
        {
            "deviation, 2 epochs": ("fc_mnist", {"train.epochs": 2}),
            "variance, 2 epochs": (
                "fc_mnist",
                {"train.epochs": 2, "model.options.init_is_variance": True},
            ),
        },
    ),
    _Point(
        "no mutual information, “unable to reproduce using the formula”",
        "M's formula, whose indices clash",
        effects.information,
        {"alpha 0": ("resnet20_cifar10_short", {"alpha": 0.0})},
    ),
    _Point(
        "CIFAR-10: 1,246 and 205 epochs of 50,000 images",
        "389,998 and 64,165 steps, which is of 40,000",
        effects.derived(
            f"{1246 * 391:,} and {205 * 391:,} steps, a quarter more"
        ),
        {},
    ),
    _Point(
        "MNIST: a random affine translation, rounded to pixels",
        "M: 25 equally likely shifts",
        effects.derived(
            "-2 to 2 with 1/8, 1/4, 1/4, 1/4, 1/8 in place of 1/5 each"
        ),
        {},
    ),
    _Point(
        "MNIST: PyTorch's dampening leaves the first gradient as it is",
        "M: every gradient counts 0.1",
        effects.derived(
            "the first step is ten times M's, which fades by 0.9 a step"
        ),
        {},
    ),
    _Point(
        "figures 7 and 8: no temperature of 3",
        "M: 1, 2, 3, 4, 8, 12, 16",
        effects.derived("none: a point of a curve fewer"),
        {},
    ),
    _Point(
        "CUB and Tiny ImageNet: weights of ImageNet without its means; "
        "pictures move up and down alone",
        "translations of both sides",
        effects.derived(
            f"{_TEXT}: neither set is at hand; its views are "
            "replication_cub and replication_tiny"
        ),
        {},
    ),
    _Point(
        "Multi30k's row of table 3 is .449, .475, .372, .222, .110; the "
        "notebook's outputs are .4632, .4820, .3758, .2217, .1072",
        "one of them",
        effects.derived("up to .014, between two trainings or versions of it"),
        {},
    ),
    _Point(
        "English is split by the German tokenizer and the other way round",
        "each by its own",
        effects.derived(_TEXT),
        {},
    ),
    _Point(
        "the plane of the projection is spanned from the first template, "
        "without biases; in the text from the third",
        "M: a basis of the plane through the templates",
        effects.derived("none on distances: the same plane, other axes"),
        {},
    ),
    _Point(
        "the notebooks call .cpu().item() on what the committed code makes "
        "a float",
        "code that runs",
        effects.derived(f"{_TEXT}: the notebooks' outputs are of older code"),
        {},
    ),
    _Point(
        "the text's bins skip the first; the code has all",
        "15 bins",
        effects.derived("none: the code is right"),
        {},
    ),
)

REQUIRES = tuple(dict.fromkeys(n for point in _POINTS for n in point.needs()))


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = [(point, point.measured(records)) for point in _POINTS]
    count = sum(effect is not None for _, effect in rows)
    yield Text(
        "Each row is a place where the code of Wagner et al. departs from its "
        "text or from Müller et al. (M), and what our own runs say of it: on "
        "MNIST, CIFAR-10 (AlexNet: 6,500 steps of 24 x 24 images; teachers "
        "and students of figure 5 at a short schedule) and Multi30k, one seed "
        f"unless more are named. {count} of {len(rows)} have an effect "
        "that is measured or follows by arithmetic."
    )
    yield declared.table(
        "audit",
        "Our numbers, not theirs. Not measured: the command trains what is "
        "missing.",
        rows,
        ("the code", lambda e: e[0].code, ""),
        ("text, or M", lambda e: e[0].wanted, ""),
        ("effect, ours", lambda e: e[1] or "not measured", ""),
        (
            "command",
            lambda e: Command("" if e[1] else e[0].commands(records)),
            "",
        ),
    )
