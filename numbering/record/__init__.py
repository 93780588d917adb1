"""One numbering per patient: what all results of a patient together say. No DICOM, no database.

`conclude` makes the record, `reissues` says which results no longer say what it says.
"""

from numbering.plane import Plane
from numbering.record.conclude import conclude
from numbering.record.corrections import Correction
from numbering.record.filed import Filed, FiledImage
from numbering.record.model import PatientRecord
from numbering.record.reissue import Reissue, reissues

__all__ = ["Correction", "Filed", "FiledImage", "PatientRecord", "Plane", "Reissue", "conclude", "reissues"]
