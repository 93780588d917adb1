"""Simulated patients: one sampled anatomy, every view of it, and the exact truth of each.

The data flow one way::

    anatomy (what a patient is)  →  pose (where everything lies)  →  scene (structures with signed distances)
        →  imaging (CT, films, MR)  →  dicom + truth (files)

Nothing after `anatomy` draws what a patient is; nothing before `imaging` knows of pixels.
"""
