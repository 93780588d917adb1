"""Computed tomography of the scene."""
