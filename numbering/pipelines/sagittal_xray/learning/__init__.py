"""Training: simulated films, samples of them, and the fitting of each network."""
