"""Level checks on the node: what may be consulted, asking, and keeping every check for good."""
