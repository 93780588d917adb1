"""The network of both sizes: what it sees, how it is built, how it runs, and what its answer rests on."""
