"""A narrow LeNet on MNIST with noisy labels, a tenth of the epochs.

Source: ours; ``noise_mnist`` with 10 and 20 filters and 50 units instead of 20,
50 and 500 (21,840 parameters instead of 431,080), for 10 epochs instead of 100.
Its numbers are not the paper's.
Run: python run_experiment.py --experiment=noise_mnist_narrow
"""

from ls_tf.experiments import noise_mnist
from ls_tf.spec import override

FACTOR = 10

SPEC = override(
    noise_mnist.SPEC,
    {
        "model.options.filters": (10, 20),
        "model.options.hidden": 50,
        "train.epochs": 100 / FACTOR,
        "train.checkpoint_every_steps": 469,
    },
)
