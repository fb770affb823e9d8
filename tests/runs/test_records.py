"""Each record of a run has its shape, or is told of by name."""

import json
import os
import zipfile

import numpy as np
import pytest

from unetdyn import runs
from unetdyn.analysis import diagnose, read_history
from unetdyn.analysis.declarations import Declaration, DeclaredDisplay
from unetdyn.report.describe import describe


@pytest.fixture
def written(tmp_path):
    writer = runs.RunWriter(tmp_path / "run", config={"filters": 16}, seed=3)
    writer.log_epoch(0, {"loss": 0.5, "val_loss": 0.6})
    writer.event("best", "Epoch 1 is the best.", epoch=0)
    writer.save_arrays("stability", epoch=[0, 1])
    return writer.path


def header_with(path, **changes):
    file = path / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("key", ["format", "status", "created", "versions", "seed", "config", "summary"])
def test_header_without_a_key_is_damaged(written, key):
    file = written / "run.json"
    file.write_text(json.dumps({name: part for name, part in json.loads(file.read_text()).items() if name != key}))
    with pytest.raises(runs.RunError, match=rf"run.json is damaged: it lacks `{key}`"):
        runs.open(written)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("format", "1", r"`format` must be a whole number. Received: '1'"),
        ("format", True, r"`format` must be a whole number. Received: True"),
        ("status", {}, r"`status` must be a text. Received: \{\}"),
        ("created", 5, r"`created` must be a text. Received: 5"),
        ("versions", None, r"`versions` must be an object. Received: None"),
        ("seed", "x", r"`seed` must be a whole number or null. Received: 'x'"),
        ("config", 5, r"`config` must be an object. Received: 5"),
        ("summary", [1], r"`summary` must be an object. Received: \[1\]"),
        ("metrics", [1], r"`metrics` must be an object. Received: \[1\]"),
        ("setup", "x" * 99, r"`setup` must be an object. Received: 'x{56}\.\.\."),
        ("stages", {"a": 1}, r"`stages` must be a list. Received: \{'a': 1\}"),
        ("monitors", {"mine": 5}, r"`monitors.mine` must be an object. Received: 5"),
    ],
)
def test_header_of_another_shape_is_damaged(written, key, value, text):
    header_with(written, **{key: value})
    with pytest.raises(runs.RunError, match=f"run.json is damaged: {text}"):
        runs.open(written)


@pytest.mark.parametrize("content", ["5", "[]", "null", '"text"', "[" * 100_000])
def test_header_that_is_no_object_is_damaged(written, content):
    (written / "run.json").write_text(content)
    with pytest.raises(runs.RunError, match=r"run.json is damaged: it (must hold a JSON object|is not the JSON)"):
        runs.open(written)


@pytest.mark.parametrize(
    "line",
    [
        "5",
        "null",
        "[]",
        '"x"',
        "{}",
        '{"loss": 1}',
        '{"epoch": "x"}',
        '{"epoch": 1.5}',
        '{"epoch": true}',
        '{"epoch": -1}',
    ],
)
def test_line_that_is_no_epoch_is_left_out(written, line):
    with (written / "epochs.jsonl").open("a") as file:
        file.write(line + "\n")
    run = runs.open(written)
    assert run.notes == ["epochs.jsonl: line 2 is no epoch and is left out."]
    assert run.history["loss"].tolist() == [0.5]
    assert "epochs.jsonl: line 2 is no epoch" in describe([run])


@pytest.mark.parametrize("line", ["5", "[]", "{}", '{"kind": 5, "message": "x"}', '{"kind": "best"}'])
def test_line_that_is_no_event_is_left_out(written, line):
    with (written / "events.jsonl").open("a") as file:
        file.write(line + "\n")
    run = runs.open(written)
    assert run.notes == ["events.jsonl: line 2 is no event and is left out."]
    assert len(run.events) == 1
    assert diagnose(run).level == "unknown"


def test_number_of_any_length_is_read(written):
    with (written / "epochs.jsonl").open("a") as file:
        file.write('{"epoch": 1, "loss": 1' + "0" * 5000 + ', "val_loss": 12345678901234567890}\n')
    curves = read_history(written)
    assert curves["loss"].values.tolist() == [0.5, np.inf]
    assert curves["val_loss"].values.tolist() == [0.6, 12345678901234567890.0]


def test_half_a_character_becomes_a_question_mark(written):
    with (written / "epochs.jsonl").open("a") as file:
        file.write('{"epoch": 1, "a\\ud800": "\\ud83d\\ude00 \\udfff"}\n')
    assert runs.open(written).epochs[1] == {"epoch": 1, "a?": "\U0001f600 ?"}


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04 torn", b"\x93NUMPY"])
def test_damaged_arrays_cost_their_own_record_only(written, content):
    (written / "dynamics/stability.npz").write_bytes(content)
    run = runs.open(written)
    with pytest.raises(runs.RunError, match=r"stability.npz is damaged: "):
        run.arrays("stability")
    with pytest.warns(UserWarning, match=r"What 'stability' recorded is left out: .* is damaged"):
        diagnose(run)


def test_single_array_is_no_record(written):
    np.save(written / "dynamics/one.npy", np.ones(3))
    (written / "dynamics/one.npy").rename(written / "dynamics/one.npz")
    with pytest.raises(runs.RunError, match=r"one.npz is damaged: File is not a zip file"):
        runs.open(written).arrays("one")


def test_flipped_bit_in_an_array_is_no_other_number(written):
    """NumPy reads as far as a header says, and so past no checksum: of a smaller shape it gave the first thousand."""
    file = written / "dynamics/long.npz"
    np.savez(file, epoch=np.arange(5000))
    file.write_bytes(file.read_bytes().replace(b"'shape': (5000,)", b"'shape': (1000,)"))
    with pytest.raises(runs.RunError, match=r"long.npz is damaged: "):
        runs.open(written).arrays("long")


def test_archive_of_other_files_is_no_record(written):
    with zipfile.ZipFile(written / "dynamics/other.npz", "w") as archive:
        archive.writestr("notes.txt", "x")
    with pytest.raises(runs.RunError, match=r"other.npz is damaged: 'notes.txt' in it is no array"):
        runs.open(written).arrays("other")


def test_one_damaged_run_hides_no_other(written, tmp_path):
    runs.RunWriter(tmp_path / "damaged")
    (tmp_path / "damaged/run.json").write_text("{")
    with pytest.warns(UserWarning, match=r"One run is left out: .*damaged/run.json is damaged"):
        assert [run.path for run in runs.list_runs(tmp_path)] == [written]


@pytest.mark.parametrize("name", ["run.json", "epochs.jsonl", "events.jsonl", "dynamics/stability.npz", "model.keras"])
def test_link_that_leads_out_of_a_run_is_refused(written, tmp_path, name):
    file = written / name
    outside = tmp_path / "outside"
    outside.write_bytes(file.read_bytes() if file.exists() else b"x")
    file.unlink(missing_ok=True)
    file.symlink_to(outside)
    with pytest.raises(runs.RunError, match=rf"{name} must lie in its run directory. It is a link to .*outside"):
        everything_of(written)


def everything_of(path):
    run = runs.open(path)
    return run.epochs, run.events, run.arrays("stability"), run.model_path


def test_run_that_is_a_link_itself_is_read(written, tmp_path):
    (tmp_path / "link").symlink_to(written)
    assert len(runs.open(tmp_path / "link").epochs) == 1


def test_names_of_arrays_lead_nowhere_else(written):
    for name in ("../run", "/etc/passwd", "..", ""):
        with pytest.raises(KeyError, match="is not among the arrays of"):
            runs.open(written).arrays(name)


def test_file_that_may_not_be_read_says_so(written):
    if os.geteuid() == 0:
        (written / "epochs.jsonl").unlink()
        (written / "epochs.jsonl").symlink_to("epochs.jsonl")  # nobody can follow it
        assert runs.open(written).epochs == []
        return
    (written / "epochs.jsonl").chmod(0)
    with pytest.raises(PermissionError):
        _ = runs.open(written).epochs


@pytest.mark.parametrize(
    "kept",
    [
        {"keys": 3, "displays": [5, {}, {"title": 1}], "columns": 5, "arrays": [1, "a"]},
        {"keys": {"a": ["up"], "b": "up"}, "displays": "x", "columns": ["c", 5]},
    ],
)
def test_declaration_of_any_shape_is_read_as_far_as_it_goes(written, kept):
    header_with(written, monitors={"mine": kept})
    assert len(read_history(written)) == 2
    declared = Declaration.from_json("mine", kept)
    assert set(declared.keys) <= {"b"}
    assert declared.displays == ()


def test_declared_display_keeps_its_arguments():
    kept = {"displays": [{"title": "T", "array": "a", "display": "D", "arguments": {"kind": "ratio"}, "later": 1}]}
    assert Declaration.from_json("mine", kept).displays == (DeclaredDisplay("T", "a", "D", {"kind": "ratio"}),)
