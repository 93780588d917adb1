"""A patient's earlier studies: what a source of them is, and which are wanted. Plain types; no DICOM library."""
