"""What is true of a simulated patient (``truth.json``, schema ``numbering/truth/1``).

One file a patient: who it is, its vertebrae, its studies, and for each view what lies where. Each view's models are a
module of their own, filled by the view's owner from landmarks of the pose, never by measuring the picture::

    patient.py   Truth, TrueVertebra…: the whole, and what holds in every view
    film.py      TrueImage: one radiograph (corners, boxes, angles)
    ct.py        TrueCt: one CT series (centres, slices, label volume)
    mr.py        TrueMr: one MR series (disc level of each slice, centres)
    justified.py the numbering that a reader with this field of view alone could justify

Coordinates: images x right, y down, pixel centres at integers, boxes continuous ``[x0, y0, x1, y1]``; space mm, DICOM
LPS of the study's frame of reference (`Visit.in_scanner` of the phantom's frame).
"""

from numbering.phantom.truth.patient import FILE_NAME, TrueStudy, TrueVariant, TrueVertebra, Truth, read, write

__all__ = ["FILE_NAME", "TrueStudy", "TrueVariant", "TrueVertebra", "Truth", "read", "write"]
