"""Evaluation, calibration and pictures of the axial MR pipeline."""
