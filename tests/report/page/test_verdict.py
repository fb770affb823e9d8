"""The verdict on planted runs: what is well is called well, and each illness by its name."""

import math

import numpy as np
import pytest

from unetdyn.analysis import Curves
from unetdyn.report.page.gradient_signs import gradient_signs
from unetdyn.report.page.signs import LEVELS
from unetdyn.report.page.verdict import verdict
from unetdyn.runs import RunWriter, open

EPOCHS = 40


def healthy(**changes):
    """Converging curves with a little noise; `changes` replaces some."""
    noise = np.random.default_rng(0).normal(size=(3, EPOCHS))
    left = np.exp(-np.arange(EPOCHS) / 6)
    logs = {
        "loss": 0.10 + 0.6 * left + 0.001 * noise[0],
        "val_loss": 0.12 + 0.6 * left + 0.002 * noise[1],
        "val_jaccard": 0.8 - 0.7 * left + 0.004 * noise[2],
    }
    return logs | changes


def run_of(path, logs, status="finished", summary=None):
    writer = RunWriter(path)
    for epoch in range(max(map(len, logs.values()))):
        writer.log_epoch(epoch, {name: float(values[epoch]) for name, values in logs.items() if epoch < len(values)})
    if status != "running":
        writer.finish(status, summary)
    return open(path)


def signs(found):
    return {sign.name: sign for sign in found.signs}


def test_healthy_run_is_called_healthy(tmp_path):
    found = verdict(run_of(tmp_path / "run", healthy()), "jaccard")
    assert found.word == "Healthy"
    assert found.sentence == "Nothing that was looked at speaks against this training."
    levels = {name: sign.level for name, sign in signs(found).items()}
    assert set(levels.values()) <= {"good", "unknown"}
    assert [levels[name] for name in ("ended", "validation Jaccard", "jumps", "collapses", "stability")] == ["good"] * 5
    peak = healthy()["val_jaccard"]
    text = signs(found)["validation Jaccard"].text
    assert text == f"best {peak.max():.3g} at epoch {peak.argmax() + 1}, {peak[-1]:.3g} at the end"
    changes = np.abs(np.diff(peak))[-10:]
    assert f"by {np.median(changes) / peak.max():.1%} of the best" in signs(found)["jumps"].text


def jumping(scale):
    noise = 0.1 * np.random.default_rng(1).normal(size=EPOCHS)
    return 0.7 + scale * 0.7 * (np.tile([0.5, -0.5], EPOCHS // 2) + noise)


def swinging(scale, steps):
    """With a wave of so many radians an epoch; π is up and down from one epoch to the next."""
    return healthy()["val_jaccard"] + scale * np.cos(steps * np.arange(EPOCHS))


def falling(*, back):
    values = healthy()["val_jaccard"]
    values[25] = 0.02
    if not back:
        values[25:] = 0.02
    return values


@pytest.mark.parametrize(
    ("change", "sign", "level", "words"),
    [
        ({"val_jaccard": jumping(0.07)}, "jumps", "watch", "jumps by 7%"),
        ({"val_jaccard": jumping(0.20)}, "jumps", "ill", "jumps by 18%"),
        ({"val_jaccard": healthy()["val_jaccard"] + 0.02 * (-1.0) ** np.arange(40)}, "oscillation", "watch", "zigzags"),
        (
            {"val_jaccard": healthy()["val_jaccard"] + 0.03 * np.sin(np.arange(40))},
            "oscillation",
            "watch",
            "swings every",
        ),
        ({"val_jaccard": falling(back=True)}, "collapses", "watch", "collapsed once"),
        ({"val_jaccard": falling(back=False)}, "collapses", "ill", "collapsed once"),
        ({"val_jaccard": np.full(EPOCHS, math.nan)}, "validation Jaccard", "ill", "never was a number"),
        ({"val_jaccard": np.r_[np.full(39, 0.5), math.inf]}, "validation Jaccard", "ill", "not finite at the end"),
        ({"val_jaccard": np.r_[np.linspace(0.1, 0.8, 39), 0.3]}, "validation Jaccard", "ill", "ended 62% off its best"),
        ({"val_jaccard": np.linspace(0.8, 0.7, 40)}, "validation Jaccard", "watch", "ended 13% off its best"),
        ({"val_loss": 0.5 + jumping(0.2)}, "stability", "watch", "stability of its validation loss is moderate"),
        ({"val_loss": 0.5 + jumping(1.0)}, "stability", "ill", "stability of its validation loss is poor"),
        ({"val_loss": np.r_[np.full(39, 0.5), math.nan]}, "stability", "ill", "validation loss is not finite"),
        ({"val_loss": 0.12 + 0.02 * np.abs(np.arange(EPOCHS) - 15)}, "overfitting", "watch", "it overfits from epoch"),
        ({"grad_exploding": np.r_[np.zeros(38), 1, 2]}, "gradients", "watch", "exploded in 2 of 40 epochs"),
        ({"grad_exploding": np.r_[np.zeros(36), np.ones(4)]}, "gradients", "ill", "exploded in 4 of 40 epochs"),
        ({"grad_nonfinite": np.ones(40)}, "gradients", "ill", "was not finite in 40 of 40 epochs"),
        ({"grad_vanishing_blocks": np.full(40, 3)}, "gradients", "ill", "vanished in a block in 40 of 40"),
        ({"update_ratio_log10": np.full(40, -2.0)}, "updates", "watch", "updates are large (0.01)"),
        ({"update_ratio_log10": np.full(40, -1.0)}, "updates", "ill", "updates are large (0.1)"),
        ({"update_ratio_log10": np.full(40, -6.0)}, "updates", "watch", "updates are tiny (1e-06)"),
    ],
)
def test_each_illness_is_found_and_named(tmp_path, change, sign, level, words):
    found = verdict(run_of(tmp_path / "run", healthy(**change)), "jaccard")
    assert signs(found)[sign].level == level
    assert words in found.sentence
    assert LEVELS.index(found.level) >= LEVELS.index(level)


@pytest.mark.parametrize(
    ("status", "level", "text"),
    [
        ("running", "watch", "still running, or killed, after 40 epochs"),
        ("interrupted", "watch", "interrupted after 40 epochs"),
        ("failed", "ill", "failed after 40 epochs: OSError: disk full"),
    ],
)
def test_how_a_run_ended(tmp_path, status, level, text):
    run = run_of(tmp_path / "run", healthy(), status, {"error": "OSError: disk full"})
    found = verdict(run, "jaccard")
    assert (signs(found)["ended"].level, signs(found)["ended"].text) == (level, text)
    assert found.level == level


@pytest.mark.parametrize(
    "logs", [{"loss": [1.0]}, {"loss": [math.nan] * 3}, {"loss": [1.0, 0.5], "val_jaccard": [0.1]}]
)
def test_little_is_no_error(tmp_path, logs):
    metric = "jaccard" if "val_jaccard" in logs else None
    found = verdict(run_of(tmp_path / "run", logs), metric)
    assert signs(found)["stability"].level == "unknown"
    assert ("jumps" in signs(found)) == (metric is not None)


def test_watch_comes_after_ill_in_the_sentence(tmp_path):
    logs = healthy(val_jaccard=jumping(0.2), grad_exploding=np.r_[np.zeros(39), 1])
    sentence = verdict(run_of(tmp_path / "run", logs), "jaccard").sentence
    worst, beside = sentence.split(" Beside that, ")
    assert "jumps by" in worst
    assert "gradient exploded in 1 of 40 epochs" in beside


def test_healthy_gradients_and_updates_are_called_good():
    epochs = np.arange(3)
    curves = Curves({"grad_exploding": (epochs, np.zeros(3)), "update_ratio_log10": (epochs, np.full(3, -3.0))})
    found = list(gradient_signs(curves))
    assert [(sign.name, sign.level) for sign in found] == [("gradients", "good"), ("updates", "good")]
    assert found[1].text == "median update-to-weight ratio 0.001, within 0.0001 to 0.003"
    assert list(gradient_signs(Curves({}))) == []


@pytest.mark.parametrize(("epochs", "word"), [(9, "Too little to tell"), (10, "Healthy")])
def test_a_run_too_short_for_its_stability_is_not_called_healthy(tmp_path, epochs, word):
    logs = {"loss": 0.5 + 0.001 * np.arange(epochs), "val_jaccard": 0.5 + 0.001 * np.arange(epochs)}
    found = verdict(run_of(tmp_path / "run", logs), "jaccard")
    assert found.word == word
    assert ("σ not defined: 9 of the 10 epochs" in found.sentence) == (epochs == 9)


def test_metric_that_never_was_a_number_has_no_word_on_collapses(tmp_path):
    found = signs(verdict(run_of(tmp_path / "run", healthy(val_jaccard=np.full(EPOCHS, math.nan))), "jaccard"))
    assert found["collapses"].level == "unknown"
    assert found["collapses"].text == "fewer than the 2 finite values that it needs"


def test_run_without_a_loss_is_not_called_healthy(tmp_path):
    found = verdict(run_of(tmp_path / "run", {"val_jaccard": healthy()["val_jaccard"]}), "jaccard")
    assert found.word == "Too little to tell"
    assert found.sentence == "Nothing speaks against it yet; no loss was logged."
    assert not {"overfitting", "convergence"} & set(signs(found))
