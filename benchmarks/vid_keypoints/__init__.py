"""What the benchmark of the enumeration reads, fits, measures and draws."""
