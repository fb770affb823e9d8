"""`unetdyn evaluate`, as a shell would call it, with a model of one pixel: its scores are known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetdyn import runs
from unetdyn.evaluation import evaluation_of

# The images are divided by 255, and p is the sigmoid of 10 x − 5: what is bright is predicted.
CONFIG = """
seed: 1
data: {kind: folder, path: data, tile: 16, normalise: unit, split: {train: [0, 1], validation: [3, 4], test: [6, 8]}}
model: {architecture: UNet, filters: 2, depth: 1}
fit: {epochs: 1, batch_size: 2}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Nine sections, of which masks hold what is brighter than 160; and a run with a model and a configuration."""
    import keras

    from unetdyn.experiment import load_config

    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    for place in range(9):
        image = rng.integers(0, 256, (32, 32), dtype=np.uint8)
        Image.fromarray(image).save(folder / f"data/images/s{place}.png")
        Image.fromarray((image > 160).astype(np.uint8) * 255).save(folder / f"data/masks/s{place}.png")
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    network.layers[0].set_weights([np.full((1, 1, 1, 1), 10.0), np.array([-5.0])])
    (folder / "c.yaml").write_text(CONFIG.replace("path: data", f"path: {folder / 'data'}"))
    config = load_config(folder / "c.yaml").model_dump(mode="json")
    writer = runs.RunWriter(folder / "run", config, seed=1, backend=keras.config.backend())
    writer.log_epoch(0, {"loss": 0.5, "val_loss": 0.5, "val_jaccard": 0.5})
    network.save(writer.path / "model.keras")
    writer.finish()
    return folder


@pytest.fixture
def run(made, tmp_path):
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


def jaccard(made, places, threshold):
    """Brute force, over all pixels of some sections."""
    images = [np.asarray(image) for place in places for image in [read(made / f"data/images/s{place}.png")]]
    p = 1 / (1 + np.exp(5 - 10 * (np.stack(images) / 255)))
    predicted, mask = p > threshold, np.stack(images) > 160
    return (predicted & mask).sum() / (predicted | mask).sum()


def read(file):
    with Image.open(file) as opened:
        return np.asarray(opened)


def test_threshold_is_chosen_on_validation_and_scores_are_of_the_test(invoke, made, run):
    result = invoke("evaluate", str(run), "--spacing", "4", "--tolerance", "4", "--objects")
    assert result.exit_code == 0, result.output
    found = evaluation_of(runs.open(run))
    assert (found.of, found.threshold_from) == ("test", "validation")
    assert [section.name for section in found.found.sections] == ["s6", "s7", "s8"]
    assert [section.name for section in found.validation.sections] == ["s3", "s4"]
    on_validation = {t: jaccard(made, (3, 4), t) for t in np.arange(101) / 100}
    assert on_validation[found.found.threshold] == max(on_validation.values()) > on_validation[0.5]
    assert found.found.whole["jaccard"].value == pytest.approx(jaccard(made, (6, 7, 8), found.found.threshold))
    assert found.found.thresholds.jaccard_at_half == pytest.approx(jaccard(made, (6, 7, 8), 0.5))
    assert found.found.ious.batch_size == 2
    assert (found.found.spacing, found.found.unit, found.found.tolerance) == ((4.0, 4.0), "nm", 4.0)
    assert found.pictures.name[0] == found.found.worst(1)[0].name
    np.testing.assert_array_equal(
        found.pictures.mask[0], read(made / f"data/images/{found.pictures.name[0]}.png") > 160
    )
    assert found.settings == {
        "model": str(run), "tile": [16, 16], "overlap": 0.5, "tta": None, "normalise": "unit", "downsample": 1
    }  # fmt: skip
    assert f"chosen on validation\nat 0.5          Jaccard {jaccard(made, (6, 7, 8), 0.5):.3g}" in result.output
    assert "n = 3" in result.output
    assert "Predicting 2 sections of validation" in result.output


def test_validation_is_evaluated_at_a_threshold_that_was_not_chosen_on_it(invoke, made, run):
    result = invoke("evaluate", str(run), "--split", "validation", "-o", "v.json")
    assert result.exit_code == 0, result.output
    assert not (run / "evaluation.json").exists()
    record = json.loads(Path("v.json").read_text(encoding="utf-8"))
    assert (record["of"], record["threshold_from"], record["validation"]) == ("validation", "default", None)
    assert record["found"]["whole"]["jaccard"]["value"] == pytest.approx(jaccard(made, (3, 4), 0.5))


def test_other_data_is_evaluated_with_a_model_file(invoke, made, run, tmp_path):
    ignored = tmp_path / "other"
    shutil.copytree(made / "data", ignored)
    mask = read(ignored / "masks/s0.png").copy()
    mask[:, :10] = 7
    for place in range(1, 9):
        for name in ("images", "masks"):
            (ignored / name / f"s{place}.png").unlink()
    Image.fromarray(mask).save(ignored / "masks/s0.png")
    arguments = ("evaluate", str(run / "model.keras"), "other", "--normalise", "unit", "--tile", "16")
    result = invoke(*arguments, "--ignore-label", "7", "--threshold", "0.6", "-o", "o.json")
    assert result.exit_code == 0, result.output
    record = json.loads(Path("o.json").read_text(encoding="utf-8"))
    image = read(made / "data/images/s0.png")[:, 10:]
    predicted, mask = 1 / (1 + np.exp(5 - 10 * (image / 255))) > 0.6, image > 160
    expected = (predicted & mask).sum() / (predicted | mask).sum()
    assert record["found"]["whole"]["jaccard"]["value"] == pytest.approx(expected)
    assert record["found"]["counts"]["tp"] == (predicted & mask).sum()
    assert (record["of"], record["threshold_from"]) == ("other", "given")
    unknown = invoke("evaluate", str(run / "model.keras"), "other")
    assert (unknown.exit_code, "`normalise` must say how images were made ready" in unknown.output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run/model.keras"], "DATA must be said for a .keras file"),
        (["run", "other", "--split", "test"], "--split is a part of the run's own data"),
        (["run", "--images", "a.tif"], "--images and --masks must both be files"),
        (["run", "-o", "scores.csv"], "-o must be a file that ends in .json"),
        (["absent"], "must be a run directory"),
    ],
)
def test_errors_come_before_anything_is_loaded(invoke, run, arguments, words):
    result = invoke("evaluate", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_interrupted_evaluation_leaves_what_was_there(invoke, run, monkeypatch):
    from unetdyn.experiment import evaluated

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluated, "evaluate_sections", interrupted)
    result = invoke("evaluate", str(run), "--split", "test")
    assert (result.exit_code, "Stopped by SIGINT" in result.output) == (130, True)
    assert not (run / "evaluation.json").exists()
