"""From a series of slices to the discs that they show: where each lies along the spine, one decision for all of them."""
