"""The rules, one a module: its thresholds, `LIMITS` that say them in words, and `find`, from evidence to findings.

A further rule is a module here and a line in `unetdyn.analysis.diagnosis.registry`. Modules that begin with `_` are
what several rules share.
"""
