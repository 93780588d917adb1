"""Lateral radiographs: which vertebrae are in view, four corners of each, and the angles between them (seed 003)."""
