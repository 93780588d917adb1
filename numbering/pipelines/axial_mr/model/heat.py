"""Heat maps of a decided class, in numpy: Grad-CAM without a gradient.

The network ends in an average over its last features ``A_k`` and a linear layer ``w``. So the gradient of class ``c``
that Grad-CAM averages is the same everywhere, ``w_ck`` over the number of cells, and Grad-CAM (Selvaraju 2017) is the
class activation map (Zhou 2016) where that is positive, up to that number. The network gives ``sum_k w_ck A_k`` itself,
so that any runtime has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grad_cam(maps: NDArray[np.float32], chosen: NDArray[np.intp]) -> NDArray[np.float32]:
    """Heat maps ``(n, h, w)`` 0…1 for one class of each picture, out of `runtime.Seen.maps` ``(n, 6, h, w)``.

    The hottest cell of a map is 1; a map that nowhere speaks for its class is 0.
    """
    positive = np.maximum(maps[np.arange(len(maps)), chosen], 0)
    hottest = positive.max((1, 2), keepdims=True, initial=0)
    return np.asarray(np.divide(positive, hottest, out=np.zeros_like(positive), where=hottest > 0))
