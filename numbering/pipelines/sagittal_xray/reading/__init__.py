"""From what the networks see on a film to names with probabilities, or to the reason why there are none."""
