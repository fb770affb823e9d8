"""What is wrong with the outcome of a training, one symptom a module, whatever has caused it.

A symptom is judged by the run itself: by what it has reached, by where it began, by the best constant answer. A further
one is a module here, with `LIMITS` and `find`, and a line in `unetdyn.analysis.diagnosis.registry`.
"""
