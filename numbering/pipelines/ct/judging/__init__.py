"""Evaluation, calibration and pictures of the CT pipeline."""
