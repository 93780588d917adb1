"""Training: simulated volumes, samples of them, and the fitting of each network."""
