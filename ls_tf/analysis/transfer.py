"""What a network's outputs are good for elsewhere: other data, other classes.

Whether they tell foreign images from its own, and whether its penultimate
activations tell the classes of another set apart.
"""

import warnings

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ls_tf.analysis import outputs


def energy(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """How much a network has to say of its inputs: the negative energy.

    Args:
        logits: float [N, K], finite.

    Returns:
        float64 [N]: ``log sum_k exp(z_k)``; low where it knows nothing alike.

    Raises:
        ValueError: bad values.

    Source: Liu et al. 2020 (arXiv 2010.03759), energy score at temperature 1,
    with the sign turned round.
    """
    result: npt.NDArray[np.float64] = special.logsumexp(
        outputs.finite(logits, "logits"), axis=-1
    )
    return result


def auroc(own: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """How often a score is higher for an own example than for a foreign one.

    Args:
        own: float [N], scores of examples of the network's own data.
        other: float [M], of foreign ones.

    Returns:
        float in [0, 1]; 0.5 by chance; ties count a half.

    Raises:
        ValueError: no examples, or scores that are not finite.

    Source: Hendrycks and Gimpel 2017 (arXiv 1610.02136); by scikit-learn.
    """
    parts = [
        outputs.finite(own, "scores").ravel(),
        outputs.finite(other, "scores").ravel(),
    ]
    is_own = np.concatenate([np.ones(len(parts[0])), np.zeros(len(parts[1]))])
    return float(roc_auc_score(is_own, np.concatenate(parts)))


def probe_accuracy(
    train: tuple[npt.ArrayLike, npt.ArrayLike],
    test: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    strength: float = 1.0,
    most_steps: int = 1000,
) -> float:
    """The accuracy of logistic regression on activations.

    Each activation is first scaled to mean 0 and variance 1 on the training
    examples.

    Args:
        train: float [N, D] activations and int [N] labels.
        test: the same of other examples.
        strength: scikit-learn's C, the inverse of the penalty's weight.
        most_steps: of the optimiser (L-BFGS).

    Returns:
        float in [0, 1].

    Raises:
        ValueError: bad values, or fewer than two classes.

    Source: Kornblith et al. 2021 (arXiv 2010.16402), linear transfer by
    multinomial logistic regression; one C for all: ours.
    """
    features = outputs.finite(train[0], "activations")
    probe = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=strength, max_iter=most_steps),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(features, np.asarray(train[1]))
    right = probe.predict(outputs.finite(test[0], "activations")) == test[1]
    return float(np.mean(right))
