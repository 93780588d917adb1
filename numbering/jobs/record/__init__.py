"""A patient's record on the node: whose a study is, what was filed and corrected, and what follows from it."""
