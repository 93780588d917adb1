"""Lateral radiographs: vertebrae in view, four corners of each, the angles between them (Cina et al. 2021)."""
