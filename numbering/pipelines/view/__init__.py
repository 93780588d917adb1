"""Which view a radiograph is, from its pixels alone: a small network beside the header."""
