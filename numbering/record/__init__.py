"""One numbering per patient: what all results of a patient together say. No DICOM, no database."""
