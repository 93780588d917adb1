"""CT: L1 found directly, the spine instance by instance, names from the solver."""
