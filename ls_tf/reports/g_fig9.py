"""Loss, accuracy and best accuracy of the training, over a and p.

The page is built from whatever records there are.

Source: Chen et al. 2020, figure 9.
Run: python run_experiment.py --report=g_fig9
"""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.figure import Figure

from ls_tf.analysis import label_noise
from ls_tf.pages import canvas, declared, noise, noise_runs
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Claim, Records
from ls_tf.pages.noise_runs import Sweep

TITLE = "Label noise: loss, accuracy and early stopping over a and p"
PARTIAL = True

_SWEEPS = tuple(Sweep(n) for n in noise_runs.MNIST)
REQUIRES = noise_runs.needs(*_SWEEPS)

_MOST = 4.0  # nats

# What is read, whether less is better, heading, format.
_READ = {
    "loss": (noise_runs.nll, True, "test loss, nats", ".4f"),
    "accuracy": (noise_runs.accuracy, False, "test accuracy, %", ".2f"),
    "early": (
        noise_runs.early,
        False,
        "best test accuracy of the training, %",
        ".2f",
    ),
}


def _figure(sweep: Sweep, grids: Mapping[str, np.ndarray]) -> Figure:
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    panels = figure.subplots(1, len(_READ), sharey=True)
    rates, targets = (np.array(v) for v in (sweep.rates, sweep.targets))
    for axes, (name, values) in zip(panels, grids.items(), strict=True):
        _, is_less, title, _ = _READ[name]
        most = _MOST if is_less else None
        mesh = noise.heat_map(axes, rates, targets, values, most=most)
        places = noise_runs.best(values if is_less else -values, sweep.targets)
        axes.plot(rates, places, "o", color="white", markeredgecolor=canvas.INK)
        if is_less:
            fine = np.linspace(rates[0], 1, 200)
            for kind, (_, dash) in noise.STYLES.items():
                line = noise.best(kind, noise_runs.CLASSES, fine)
                axes.plot(fine, line, linestyle=dash, **noise.SEEN)
        axes.set(title=title, ylim=(0.05, 1.05))
        beyond = is_less and bool(np.nanmax(values) > _MOST)
        figure.colorbar(mesh, ax=axes, extend="max" if beyond else "neither")
    panels[0].set_ylabel("p, probability on the target's class")
    return figure


def _claims(records: Records) -> Iterable[Claim[str]]:
    for sweep in _SWEEPS:
        far = {
            kind: noise_runs.distance(records, sweep, kind)
            for kind in label_noise.KINDS
        }
        for other in ("alpha", "beta"):
            yield Claim(
                sweep.network.label,
                far["gamma"],
                far[other],
                f"the gamma type's best p is nearer to the measured one than "
                f"the {other} type's",
                by_interval=True,
            )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    claims = list(_claims(records))
    yield Text(
        f"{noise.WORDS} Of the networks of report g_fig5, over the whole grid. "
        "Early stopping takes the best test accuracy that was measured during "
        "the training, which looks at the test set and is a bound on what "
        "stopping can give. The paper finds that the gamma type predicts the "
        f"measured minima best. {noise_runs.protocol(records)}"
    )
    sentence = "{of}: {text}: " + declared.compared(".3f")
    yield declared.findings((claims, sentence))
    by_name = {
        name: {s: s.values(records, read) for s in _SWEEPS}
        for name, (read, *_) in _READ.items()
    }
    for sweep in _SWEEPS:
        if noise_runs.is_there(by_name["loss"][sweep]):
            yield Picture(
                _figure(sweep, {n: of[sweep] for n, of in by_name.items()}),
                f"maps_{sweep.network.experiment}",
                f"{sweep.network.label}, means over seeds. Circles: the best p "
                "at each a. Lines: the best p of the alpha (solid), beta "
                "(dashed) and gamma type (dotted and dashed). Losses above "
                f"{_MOST:g} nats have one colour, white is without a run. As "
                "figure 9 of Chen et al. 2020.",
            )
    for name, grids in by_name.items():
        _, _, title, form = _READ[name]
        caption = f"{title[0].upper()}{title[1:]}; clean labels."
        yield noise_runs.grid_table(name, caption, grids, form)
    yield noise_runs.claims_table(
        claims,
        "Claims of Chen et al. 2020: the distance of a type's best p to the "
        "measured one, mean over a.",
        ".3f",
    )
