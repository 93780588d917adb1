"""Films that never trained, figures and plots of an evaluation, and thresholds fixed on validation films."""
