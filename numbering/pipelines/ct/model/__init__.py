"""The two networks: their grids, their layers, their files and how they run."""
