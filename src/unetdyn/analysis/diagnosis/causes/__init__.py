"""What can have caused it, one cause a module: its thresholds, `LIMITS` that say them in words, and `find`.

A cause says in `explains` of its limits which symptoms it can explain. Where a run has none of them, what the cause saw
is an observation. A cause without `explains` stands for itself: an error, whatever came of it. A further cause is a
module here and a line in `unetdyn.analysis.diagnosis.registry`. Modules that begin with `_` are what several share.
"""
