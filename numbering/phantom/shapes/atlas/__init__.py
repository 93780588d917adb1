"""Bones from meshes in a folder: read, made into signed distances once, warped to the sampled dimensions, posed.

The meshes are never part of the project; training reads them from wherever they were fetched to.
"""

from numbering.phantom.shapes.atlas.catalogue import ATLASES, Source
from numbering.phantom.shapes.atlas.mesh import AtlasError
from numbering.phantom.shapes.atlas.source import Atlas

__all__ = ["ATLASES", "Atlas", "AtlasError", "Source"]
