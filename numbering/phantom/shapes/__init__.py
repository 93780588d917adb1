"""Bones as signed distances: procedural ones and those of an atlas, behind one interface."""
