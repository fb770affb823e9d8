"""Job arrays: rows of a sweep, handed to a scheduler as a script that the user can read and edit.

Each task of an array runs one command, `unetdyn sweep run FOLDER --row N`, so nothing here knows what a row is, and
nothing there knows of a scheduler. What differs from one to the other is in `slurm.py` and `pbs.py`.
"""
