"""A log damaged in any way is read, or refused in one sentence."""

import io
import json
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damage import Bearing, damaged, reshaped, seeds, tries
from event_file import event_file
from unetdyn.analysis import diagnose, read_history

ROWS = [(i, 0.9 - i / 20, 0.8 - i / 30, i / 10) for i in range(8)]
CSV = "epoch,loss,val_loss,val_dice\n" + "".join(f"{i},{a},{b},{c}\n" for i, a, b, c in ROWS)


def saved(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


FILES = {
    "log.csv": CSV.encode(),
    "excel.csv": CSV.replace(",", ";").replace(".", ",").encode("utf-8-sig"),
    "twice.csv": (CSV + CSV).encode(),
    "metrics.csv": b"epoch,step,loss_step,loss_epoch,val_loss\n0,9,0.5,,\n0,9,,,0.6\n0,9,,0.7,\n1,9,,,0.5\n",
    "panel.csv": b'"Step","run - loss","run - loss__MIN"\n"0","0.9","0.8"\n"1","0.8","0.7"',
    "long.csv": b"key,value,step,timestamp\nloss,0.9,0,1\nloss,0.8,1,2\nval_loss,0.9,0,1\n",
    "history.json": json.dumps({"loss": [a for _, a, _, _ in ROWS], "val_loss": [b for _, _, b, _ in ROWS]}).encode(),
    "rows.json": json.dumps([{"epoch": i, "loss": a, "val_dice": c} for i, a, _, c in ROWS]).encode(),
    "rows.jsonl": "".join(
        json.dumps({"_step": i, "train/loss": a, "val/loss": b}) + "\n" for i, a, b, _ in ROWS
    ).encode(),
    "history.npz": saved(loss=[a for _, a, _, _ in ROWS], val_loss=[b for _, _, b, _ in ROWS]),
    "events.out.tfevents.1.x": event_file({"epoch_loss": [a for _, a, _, _ in ROWS]}),
    "metrics/val/loss": "".join(f"1700 {b} {i}\n" for i, _, b, _ in ROWS).encode(),
}


def test_damaged_log_is_read_or_refused(tmp_path):
    bearing = Bearing()
    (tmp_path / "meta.yaml").write_text("run_id: x\n")
    for seed in seeds(0.25):
        chance = random.Random(seed)
        name = chance.choice(list(FILES))
        content = FILES[name]
        if name.endswith(".json") and chance.random() < 0.5:
            content = json.dumps(reshaped(chance, json.loads(content))).encode()
        else:
            content = damaged(chance, content)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
        source = tmp_path / "metrics" if name.startswith("metrics/") else path
        with bearing.of(f"seed {seed}: {name}"):
            curves = read_history(source)
            assert all(np.all(np.diff(curve.epochs) > 0) for curve in curves.values())
            if chance.random() < 0.2:
                str(diagnose(source))
    assert bearing.counts["read"] > 0.1 * bearing.counts["tries"]


CELLS = st.one_of(
    st.floats(allow_nan=True, width=32).map(str),
    st.integers(-3, 20).map(str),
    st.sampled_from(["", "NA", "0,5", "a", '"']),
)
NAMES = st.sampled_from(
    ["epoch", "loss", "val_loss", "val_dice", "step", "_step", "train_loss", "time", "", "value", "key"]
)


@settings(max_examples=tries(0.05, cheap=15), deadline=None, derandomize=True, database=None)
@given(
    st.lists(NAMES, min_size=1, max_size=5),
    st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=8),
    st.sampled_from(",;\t"),
)
def test_any_table_is_read_or_refused(tmp_path_factory, header, rows, separator):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("".join(separator.join(cells) + "\n" for cells in [header, *rows]))
    with Bearing().of(path.read_text()):
        str(diagnose(path))


NUMBERS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-5, 2**70),
    st.text(max_size=3),
    st.booleans(),
    st.lists(st.floats(), max_size=2),
)


@settings(max_examples=tries(0.05, cheap=15), deadline=None, derandomize=True, database=None)
@given(st.dictionaries(NAMES, st.lists(NUMBERS, max_size=6), max_size=5), st.sampled_from(["lists", "rows", "frame"]))
def test_any_history_is_read_or_refused(columns, form):
    shortest = min(map(len, columns.values()), default=0)
    source = columns
    if form == "rows":
        source = [{name: values[at] for name, values in columns.items()} for at in range(shortest)]
    if form == "frame":
        source = pd.DataFrame({name: values[:shortest] for name, values in columns.items()}, dtype=object)
    with Bearing().of(repr(source), (ValueError, TypeError)):
        str(diagnose(source))


@pytest.mark.parametrize("name", list(FILES))
def test_sound_log_is_read(tmp_path, name):
    """Otherwise nothing would be tried."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(FILES[name])
    (tmp_path / "meta.yaml").write_text("run_id: x\n")
    with Bearing().of(name, ()):
        assert {"loss", "val_loss"} & set(read_history(tmp_path / "metrics" if name.startswith("metrics/") else path))
