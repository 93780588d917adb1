"""A level check as it is asked: of a node's record or of plain DICOM files, with the patient looked after.

`ask` is the one function; the command and the REST call are its two faces.
"""

from numbering.checking.ask import Answered, ask
from numbering.checking.known import Known
from numbering.checking.question import Question, marked, side_of

__all__ = ["Answered", "Known", "Question", "ask", "marked", "side_of"]
