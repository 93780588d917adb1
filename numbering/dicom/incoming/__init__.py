"""Objects that come in: the DICOM port, the spool, what is announced."""
