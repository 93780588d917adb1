"""The axial MR pipeline: which disc level a slice is, decided for the whole series at once (Cho et al. 2022)."""
