"""From a visit to finished series: the scene of the day, the imaging, the encoder and the truth of each view, joined.

The only place that knows all views. `stage` is what the series of one study share, `made` what becomes of one; a module
for each kind of study calls its imaging.
"""
