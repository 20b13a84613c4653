"""What smoothing does on a long tail, to accuracy and to the last layer.

The page is built from whatever records there are. Three seeds of ``tail_mnist``
in one program: ``--engine=jax --experiment=tail_mnist --stack=alpha:0,.1
--stack=seed:0..2``; of its students: ``--experiment=tail_mnist_student
--stack=teacher.changes.alpha:0,.1 --stack=seed:0..2``.

Source: Shen et al. 2021, 4.3, conjecture 1, tables 3 and 6.
Run: python run_experiment.py --report=long_tail
"""

from ls_tf.pages import long_tail

TITLE = "Smoothing on a long tail"
PARTIAL = True
REQUIRES = long_tail.REQUIRES
build = long_tail.build
