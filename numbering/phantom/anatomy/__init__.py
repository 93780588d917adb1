"""The sampled patient: tables, alignment, anomalies. No pixels, no torch."""

from numbering.phantom.anatomy.patient import Patient, Vertebra, from_json, to_json

__all__ = ["Patient", "Vertebra", "from_json", "to_json"]
