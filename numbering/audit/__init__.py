"""Audit trail (PS3.15 A.5): who received, read, sent, asked and signed in, for those who answer for the patients' data.

::

    trail(settings).transferred("in", study_uid, {sop_class_uid: 3}, Peer("MODALITY", "10.0.0.7"))

Every method of the trail writes one record durably and never raises.
"""

from __future__ import annotations

from numbering.audit.message import Alert, Peer
from numbering.audit.trail import AuditTrail, trail

__all__ = ["Alert", "AuditTrail", "Peer", "trail"]
