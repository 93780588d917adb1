"""Independent parts of one volume, worked out on all cores.

One part is thousands of small operations: too short for torch to share each of them out among threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_Part = TypeVar("_Part")
_Found = TypeVar("_Found")


def side_by_side(call: Callable[[_Part], _Found], parts: Iterable[_Part], device: torch.device | str) -> list[_Found]:
    """What ``call`` finds for each part, in order; as many at a time as torch has threads, one thread each."""
    threads = torch.get_num_threads()
    if torch.device(device).type != "cpu" or threads == 1:
        return [call(part) for part in parts]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(call, parts))
    finally:
        torch.set_num_threads(threads)  # what a thread asks for, new threads and MKL take as meant for all
