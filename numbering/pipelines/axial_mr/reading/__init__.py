"""From the slices of a series to the discs that they show: where each lies along the spine, one decision for all."""
