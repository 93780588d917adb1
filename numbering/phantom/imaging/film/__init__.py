"""Radiographs by cone-beam projection of the scene: geometry, attenuation, detector, and the picture made of it."""

from numbering.phantom.imaging.film.exposure import Film, expose, exposures
from numbering.phantom.imaging.film.geometry import Beam
from numbering.phantom.imaging.film.position import FieldOfView, View

__all__ = ["Beam", "FieldOfView", "Film", "View", "expose", "exposures"]
