"""From the networks to names: the working volume, the walk along the spine, evidence and decision."""
