"""Simulated images as DICOM objects."""
