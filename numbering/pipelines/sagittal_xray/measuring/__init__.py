"""Angles, lengths and ratios between corners, with their uncertainty."""
