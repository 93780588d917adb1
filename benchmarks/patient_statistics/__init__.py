"""Statistics of sampled patients beside those of people: the rows of benchmarks/anatomy.py."""
