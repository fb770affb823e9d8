"""A run directory damaged in any file and in any way ends in what its readers document, and in no traceback."""

import io
import json
import random
import shutil
from contextlib import suppress

import numpy as np
import pytest
from click.testing import CliRunner

from damage import Bearing, damaged, reshaped, reshaped_lines, seeds
from evaluated import planted_evaluation
from html_page import make_run
from predicted import planted_record
from unetdyn import runs
from unetdyn.analysis import declarations, diagnose, read_history, summarise
from unetdyn.cli import main
from unetdyn.evaluation import evaluation_of, write_run_evaluation
from unetdyn.report import PredictionDisplay, write_report
from unetdyn.report.page.evaluation import evaluation_content


def files_of(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A small run with every kind of record, and its files."""
    writer = make_run(tmp_path_factory.mktemp("planted") / "run", epochs=4, finish=False, filters=16, note="text")
    writer.declare(
        metrics={"jaccard": "up"},
        monitors={
            "gradient": {"keys": {"grad_norm": "none"}, "columns": ["grad_norm"], "displays": []},
            "predictions": declarations.PREDICTIONS.as_json(),
        },
        setup={"optimizer": {"name": "adam", "config": {"learning_rate": 0.1}}, "steps_per_epoch": 3, "norms": []},
        stages=[{"name": "coarse", "epoch": 0, "setup": {"loss": {"name": "dice"}}}],
    )
    for first, size in ((0, 4), (4, 2), (6, 1)):  # of a training that runs
        steps = np.arange(first, first + size)
        writer.append_arrays("update", first, step=steps, update_ratio={"enc1": steps * 0.5}, low=np.array(0.1))
    writer.save_arrays("predictions", **planted_record())
    writer.event("monitor", "Trouble.", monitor="gradient", code="gradient.exploding", level="watch", epoch=1)
    writer.finish("finished", {"test_jaccard": 0.5, "parameters": 10})
    write_run_evaluation(planted_evaluation(), writer.path / "evaluation.json")
    return files_of(writer.path)


def spoil(chance, files, folder):
    """Write the files into the folder, one of them damaged; what was done is returned."""
    shutil.rmtree(folder, ignore_errors=True)
    name = chance.choice(list(files))
    content = files[name]
    if name.suffix == ".json" and chance.random() < 0.6:
        content = json.dumps(reshaped(chance, json.loads(content))).encode()
    elif name.suffix == ".jsonl" and chance.random() < 0.5:
        content = reshaped_lines(chance, content)
    elif name.suffix == ".npz" and chance.random() < 0.5:
        content = odd_arrays(chance, content)
    else:
        content = damaged(chance, content)
    for each, whole in files.items():
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_bytes(content if each == name else whole)
    return name


ODD = (
    np.float64(5),
    np.zeros(0),
    np.ones((2, 2)),
    np.array(["a", "b"]),
    np.array([True]),
    np.array([1j]),
    np.full(3, np.nan),
)


def odd_arrays(chance, content):
    """A whole file, in which one array has another shape or type, or another name."""
    with np.load(io.BytesIO(content)) as loaded:
        arrays = dict(loaded)
    name = chance.choice(list(arrays))
    arrays[chance.choice((name, name, f"{name}/x", "step", "/", "grad_norm/a"))] = chance.choice(ODD)
    if chance.random() < 0.3:
        arrays.pop(name)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def read_all(folder):
    run = runs.open(folder)
    assert len(run.history) >= 0
    assert run._repr_html_()
    assert repr(run)
    for name in run.array_names:
        with suppress(runs.RunError):  # what is damaged costs its own record only
            run.arrays(name)
    with suppress(runs.RunError):
        found = run.predictions
        for epoch in () if found is None else found.epochs:
            assert found.probability(epoch).shape == found.mask.shape == found.image.shape[:3]
            found.gates(epoch)
    with suppress(runs.RunError):
        str(evaluation_of(run))
    evaluation_content(run, "run", full=False)
    read_history(run)
    str(diagnose(run))
    with suppress(ValueError):  # where no metric is left
        summarise(run)


def test_damaged_run_is_read_or_refused(planted, tmp_path):
    bearing = Bearing()
    for seed in seeds(0.25):
        name = spoil(random.Random(seed), planted, tmp_path / "run")
        with bearing.of(f"seed {seed}: {name}"):
            read_all(tmp_path / "run")
    assert bearing.counts["read"] > 0.3 * bearing.counts["tries"]


def test_damaged_run_hides_no_other(planted, tmp_path):
    sound = make_run(tmp_path / "runs/sound", epochs=3, arrays=False).path
    bearing = Bearing()
    for seed in seeds(0.04, cheap=4):
        spoil(random.Random(seed), planted, tmp_path / "runs/run")
        with bearing.of(f"seed {seed}", ()):
            assert sound in [run.path for run in runs.list_runs(tmp_path / "runs")]
            result = CliRunner().invoke(main, ["show", str(sound), str(tmp_path / "runs/run")])
            assert result.exception is None or isinstance(result.exception, SystemExit)
            assert (result.exit_code, "sound" in result.output) in ((0, True), (2, True))


def test_commands_bear_a_damaged_run(planted, tmp_path):
    bearing = Bearing()
    for seed in seeds(0.05, cheap=6):
        name = spoil(random.Random(seed), planted, tmp_path / "run")
        with bearing.of(f"seed {seed}: {name}", ()):
            result = CliRunner().invoke(main, ["diagnose", str(tmp_path / "run")])
            assert result.exception is None or isinstance(result.exception, SystemExit)
            assert result.exit_code in (0, 1, 2)
            assert result.output.strip()


def test_report_bears_a_damaged_run(planted, tmp_path):
    few = {name: content for name, content in planted.items() if name.suffix != ".npz"}
    bearing = Bearing()
    for seed in seeds(0.006, cheap=1):
        name = spoil(random.Random(seed), few, tmp_path / "run")
        with bearing.of(f"seed {seed}: {name}"):
            write_report(tmp_path / "run", tmp_path / "report.html")


def test_pictures_of_predictions_bear_a_damaged_record(planted, tmp_path):
    few = {name: content for name, content in planted.items() if name.name in ("run.json", "predictions.npz")}
    bearing = Bearing()
    for seed in seeds(0.01, cheap=8):
        name = spoil(random.Random(seed), few, tmp_path / "run")
        with bearing.of(f"seed {seed}: {name}"):
            PredictionDisplay.from_run(tmp_path / "run", tiles=1).plot()


@pytest.mark.parametrize("name", ["broken-UNet", "honest-AttentionResUNet"])
def test_real_run_damaged_is_read_or_refused(shared_runs, tmp_path, name):
    files = files_of(shared_runs / name)
    bearing = Bearing()
    for seed in seeds(0.002, cheap=2):
        spoiled = spoil(random.Random(seed), files, tmp_path / "run")
        with bearing.of(f"seed {seed}: {spoiled}"):
            read_all(tmp_path / "run")
