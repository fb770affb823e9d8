"""The run directory: written crash-safe, read without Keras.

| file | what | how it is written |
| --- | --- | --- |
| `run.json` | status, times, versions, config, seed, metrics, monitors, set-up, stages, summary | replaced atomically |
| `epochs.jsonl` | one JSON object an epoch: `epoch` (from 0, as Keras counts) and the logs | appended and synced |
| `events.jsonl` | one JSON object an event: `time`, `kind`, `message` and its numbers | appended and synced |
| `dynamics/*.npz` | a monitor's arrays; those by block under `name/block` | replaced atomically |
| `dynamics/NAME/*.npz` | while the training runs, some rows each of a record that grows | made atomically |
| `model.keras` | the model of the best epoch, or the last; `unetdyn.json` in it: `InputRecipe` | replaced atomically |
| `state/` | the whole state of the training, at two moments, with checksums | replaced atomically |
| `history.png` | the picture of the run | replaced atomically |

`run.json` is made exclusively, so that of several who claim a directory one gets it, and has the token of its writer.
The JSON is strict, so that any program reads it. JSON has no NaN: numbers that are not finite are written as the texts
`"NaN"`, `"Infinity"` and `"-Infinity"`, and read back as numbers.

A directory may come from anywhere and be damaged anywhere. `open` raises FileNotFoundError for what is no run, and
`RunError`, a ValueError, for a `run.json` without the shape of one; a line that is no epoch or no event is left out,
and `Run.notes` says so; `Run.arrays` raises `RunError` for a file that is damaged. Nothing outside of the folder is
read, and nothing in it is run.
"""

from unetdyn.runs.atomic import replacing
from unetdyn.runs.reader import Run, list_runs
from unetdyn.runs.reader import open_run as open
from unetdyn.runs.records import RunError
from unetdyn.runs.writer import RunWriter

__all__ = ["Run", "RunError", "RunWriter", "list_runs", "open", "replacing"]
