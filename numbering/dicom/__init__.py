"""Everything that touches DICOM: the only package that imports pydicom, pynetdicom and highdicom."""

MANUFACTURER = "numbering"
"""Manufacturer (0008,0070) of every object that we write; by it our own results are known when they come back."""
