"""Sweeps: a design, frozen to a table of runs, which any number of processes on any number of machines work off.

A sweep is a folder:

| in it | what | how it is written |
| --- | --- | --- |
| `sweep.json` | the frozen table: design, base configuration, versions, one row a run | made once, exclusively |
| `claims/NNNN.json` | who works on a row | made exclusively, replaced atomically |
| `runs/NNNN/` | the run directory of a row | as `unetdyn.runs` |
| `logs/NNNN.txt` | what a row's process printed | appended |
| `submissions/NNNN/` | a job that a scheduler has taken: script, id, rows, output | made exclusively |

Table and status are read without Keras.
"""
