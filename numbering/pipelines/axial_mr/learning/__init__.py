"""Training of the network: simulated slices, what is learnt from them, and how."""
