"""Arrays as other frameworks have them; PyTorch's is a stand-in."""

import numpy as np


class Tensor:
    """What a tensor of PyTorch on a GPU, with a gradient, lets one do."""

    def __init__(self, values, steps=()):
        self._values, self._steps = np.asarray(values), steps

    @property
    def dtype(self):
        return f"torch.{self._values.dtype}"

    def detach(self):
        return Tensor(self._values, (*self._steps, "detach"))

    def cpu(self):
        return Tensor(self._values, (*self._steps, "cpu"))

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def numpy(self):
        if set(self._steps) != {"detach", "cpu"}:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad"
            )
        return self._values


class Exchanged:
    """An array that only knows the protocol of exchange."""

    def __init__(self, values):
        self._values = np.asarray(values)

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()
