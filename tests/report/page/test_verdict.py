"""The verdict on planted runs: what is well is called well, and each illness by its name."""

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from unetdyn.analysis import read_history
from unetdyn.report.page.content import content_of
from unetdyn.report.page.gradient_signs import gradient_signs
from unetdyn.report.page.signs import LEVELS
from unetdyn.report.page.verdict import RULES, verdict
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


def run_of(path, logs, status="finished", summary=None, records=None):
    writer = RunWriter(path)
    for name, arrays in (records or {}).items():
        writer.save_arrays(name, **arrays)
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
    around = peak[-11:] - IsotonicRegression().fit_transform(np.arange(11), peak[-11:])
    assert f"by {np.median(np.abs(np.diff(around))) / peak.max():.1%} of the best" in signs(found)["jumps"].text


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


def test_healthy_gradients_and_updates_are_called_good(tmp_path):
    run = run_of(tmp_path / "run", {"grad_exploding": np.zeros(3), "update_ratio_log10": np.full(3, -3.0)})
    found = list(gradient_signs(run, read_history(run), 10))
    assert [(sign.name, sign.level) for sign in found] == [("gradients", "good"), ("updates", "good")]
    assert found[1].text == "median update-to-weight ratio of the last 3 epochs 0.001, within 0.0001 to 0.003"
    bare = run_of(tmp_path / "bare", {"loss": [1.0]})
    assert list(gradient_signs(bare, read_history(bare), 10)) == []


@pytest.mark.parametrize(("epochs", "word"), [(9, "Too little to tell"), (10, "Healthy")])
def test_a_run_too_short_for_its_stability_is_not_called_healthy(tmp_path, epochs, word):
    logs = {"loss": 0.5 - 0.001 * np.arange(epochs), "val_jaccard": 0.5 + 0.001 * np.arange(epochs)}
    found = verdict(run_of(tmp_path / "run", logs), "jaccard")
    assert found.word == word
    assert ("σ not defined: 9 of the 10 epochs" in found.sentence) == (epochs == 9)


def rising(tau, epochs):
    left = np.exp(-np.arange(epochs) / tau)
    return {"loss": 0.05 + 0.5 * left, "val_loss": 0.05 + 0.5 * left, "val_jaccard": 0.8 - 0.7 * left}


CALM = 0.001 * np.random.default_rng(2).normal(size=EPOCHS)
NOTHING = {"loss": np.full(EPOCHS, 0.69), "val_loss": 0.69 + CALM}


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({"val_jaccard": np.zeros(EPOCHS)}, "ill", "it learned nothing: its validation Jaccard never was above 0"),
        ({"val_jaccard": 0.05 + np.abs(CALM)}, "watch", "validation Jaccard never got better by more than noise"),
        ({**NOTHING, "val_jaccard": 0.05 + np.abs(CALM)}, "ill", "training loss never fell by more than noise"),
        ({"val_loss": 0.69 + CALM}, "watch", "validation loss never fell by more than noise"),
        ({"loss": np.linspace(0.3, 0.4, EPOCHS)}, "ill", "training loss rose from 0.3 to 0.4 at the end"),
        ({"loss": np.r_[healthy()["loss"][:-1], 1e6]}, "ill", "training loss rose from 0.101 to 1000000 at the end"),
        ({"loss": np.r_[healthy()["loss"][:-1], 0.5]}, "watch", "to 0.5 at the end"),
        (
            {"loss": np.r_[healthy()["loss"][:20], np.full(20, math.nan)]},
            "ill",
            "training loss is not finite at the end",
        ),
        ({"val_loss": np.r_[healthy()["val_loss"][:20], np.full(20, 50.0)]}, "ill", "rose from 0.1"),
        ({"val_loss": 0.12 + 0.004 * np.abs(np.arange(EPOCHS) - 15)}, "watch", "rose from 0.12 to 0.216 at the end"),
        ({"val_jaccard": np.linspace(0.8, 0.44, EPOCHS)}, "ill", "ended 45% off its best"),
    ],
)
def test_a_training_that_learned_nothing_or_lost_it_is_not_healthy(tmp_path, change, level, words):
    found = verdict(run_of(tmp_path / "run", healthy(**change)), "jaccard")
    assert words in found.sentence[0].lower() + found.sentence[1:]
    assert found.level == level


def test_a_best_of_zero_has_no_jumps(tmp_path):
    found = verdict(run_of(tmp_path / "run", healthy(val_jaccard=np.zeros(EPOCHS))), "jaccard")
    assert signs(found)["jumps"].text == "its best is 0, of which nothing is a part"


def test_a_loss_that_is_no_number_in_a_short_run_is_ill(tmp_path):
    assert verdict(run_of(tmp_path / "run", {"loss": [0.5, math.nan]}), None).level == "ill"


@pytest.mark.parametrize("epochs", [10, 12, 15, 20, 40])
@pytest.mark.parametrize("tau", [1, 2, 4, 8, 16])
def test_a_smooth_descent_is_never_ill_however_short(tmp_path, tau, epochs):
    found = verdict(run_of(tmp_path / "run", rising(tau, epochs)), "jaccard")
    assert found.level in ("good", "unknown")
    assert signs(found)["jumps"].text.startswith("by 0.0% of the best")
    sigma = np.std(rising(tau, epochs)["val_loss"][-10:], ddof=1)
    assert ("about its descent: still improving" in signs(found)["stability"].text) == (sigma >= 0.05)
    assert (found.word == "Too little to tell") == (sigma >= 0.05)


def test_validation_in_every_fourth_epoch_is_no_illness(tmp_path):
    logs = rising(8, EPOCHS)
    writer = RunWriter(tmp_path / "run")
    for epoch in range(EPOCHS):
        kept = [name for name in logs if epoch % 4 == 3 or name == "loss"]
        writer.log_epoch(epoch, {name: float(logs[name][epoch]) for name in kept})
    writer.finish("finished")
    assert verdict(open(tmp_path / "run"), "jaccard").word == "Too little to tell"


def test_scatter_about_a_descent_is_called_by_its_own_class(tmp_path):
    """σ 0.1 in all, of which the zigzag of ±0.07 makes 0.07: moderate."""
    values = np.linspace(0.9, 0.6, 10) + np.tile([0.07, -0.07], 5)
    found = verdict(run_of(tmp_path / "run", {"loss": values}), None)
    around = values - IsotonicRegression(increasing=False).fit_transform(np.arange(10), values)
    text = f"Moderate, {np.std(around, ddof=1):.3g}, about its descent"
    assert signs(found)["stability"].text.endswith(text)
    assert "stability of its loss is moderate" in found.sentence


def test_a_fall_among_almost_nothing_that_was_made_good_says_nothing(tmp_path):
    values = healthy()["val_jaccard"]
    values[:6] = 0.04, 0.04, 0.001, 0.001, 0.04, 0.2
    found = verdict(run_of(tmp_path / "run", healthy(val_jaccard=values)), "jaccard")
    assert signs(found)["collapses"].level == "good"
    assert signs(found)["collapses"].text == f"none but once in the beginning, below {0.1 * values.max():.3g}"


STEPS = 32


def gradients(broken, applied, norm=1.0):
    """A record of `GradientMonitor` over `EPOCHS` epochs; `broken` steps have an infinite norm."""
    bad = np.arange(EPOCHS * STEPS) < broken
    return {
        "step": np.arange(EPOCHS * STEPS),
        "epoch": np.arange(EPOCHS * STEPS) // STEPS,
        "grad_norm": np.where(bad, np.inf, norm),
        "nonfinite": bad.astype(int),
        "applied": ~bad | applied,
        "explode": 10.0,
    }


@pytest.mark.parametrize(
    ("record", "level", "text"),
    [
        (gradients(8, applied=False), "good", "8 of 1280 updates were skipped, since the gradient was not finite"),
        (gradients(128, applied=False), "watch", "128 of 1280 updates were skipped, since the gradient was not finite"),
        (gradients(640, applied=False), "ill", "640 of 1280 updates were skipped, since the gradient was not finite"),
        (gradients(1, applied=True), "watch", "the gradient was not finite at 1 of 1280 steps"),
        (gradients(128, applied=True), "ill", "the gradient was not finite at 128 of 1280 steps"),
        (gradients(0, applied=True, norm=20.0), "ill", "the gradient exploded in 40 of 40 epochs"),
    ],
)
def test_gradients_are_judged_by_steps_and_skipped_updates_mildly(tmp_path, record, level, text):
    """The logs' counts are of older runs, in which an infinite norm counted as an explosion."""
    logs = healthy(grad_nonfinite=np.r_[1, np.zeros(39)], grad_exploding=np.ones(EPOCHS))
    found = signs(verdict(run_of(tmp_path / "run", logs, records={"mine": record}), "jaccard"))["gradients"]
    assert (found.level, found.text) == (level, text)


@pytest.mark.parametrize(
    ("ratios", "level", "words"),
    [
        (np.r_[np.full(30, -1.0), np.full(10, -3.0)], "watch", "0.001, above 0.0005"),
        (np.r_[np.full(30, -3.0), np.full(10, -2.0)], "ill", "0.01, above 0.0005"),
        (np.r_[np.full(30, -1.0), np.full(10, -3.5)], "good", "0.00032, within 0.0002 to 0.0005"),
        (np.r_[np.full(30, -3.5), np.full(10, -4.0)], "watch", "0.0001, below 0.0002"),
    ],
)
def test_updates_are_judged_at_the_end_and_by_the_monitors_own_band(tmp_path, ratios, level, words):
    record = {"step": np.arange(2), "update_ratio": {"enc1": np.ones(2)}, "low": 2e-4, "high": 5e-4}
    run = run_of(tmp_path / "run", healthy(update_ratio_log10=ratios), records={"update": record})
    found = signs(verdict(run, "jaccard"))["updates"]
    assert (found.level, found.text) == (level, f"median update-to-weight ratio of the last 10 epochs {words}")


def test_a_damaged_record_leaves_a_verdict(tmp_path):
    run_of(tmp_path / "run", healthy(grad_exploding=np.zeros(EPOCHS)), records={"gradient": gradients(0, applied=True)})
    (tmp_path / "run/dynamics/gradient.npz").write_bytes(b"PK damaged")
    assert verdict(open(tmp_path / "run"), "jaccard").word == "Healthy"


@pytest.mark.parametrize("words", ["no number", "above 0", "a third", "never fell", "skipped", "updates are above"])
def test_the_rules_name_what_makes_a_run_ill(words):
    assert words in RULES


@pytest.mark.parametrize("error", ["mae", "mse", "rmse", "hausdorff", "perplexity"])
def test_an_error_is_no_metric_that_should_rise(tmp_path, error):
    """A run that logs none but an error is judged by its losses; asked for by name, its lowest value is the best."""
    curves = healthy()
    logs = {
        "loss": curves["loss"],
        "val_loss": curves["val_loss"],
        error: curves["loss"],
        f"val_{error}": curves["loss"],
    }
    run = run_of(tmp_path / "run", logs)
    content = content_of(run, None, "run", "run-1", most=0)
    assert (content.metric, content.verdict.word) == (None, "Healthy")
    assert verdict(run, error).word == "Healthy"


def test_metric_that_never_was_a_number_has_no_word_on_collapses(tmp_path):
    found = signs(verdict(run_of(tmp_path / "run", healthy(val_jaccard=np.full(EPOCHS, math.nan))), "jaccard"))
    assert found["collapses"].level == "unknown"
    assert found["collapses"].text == "fewer than the 2 finite values that it needs"


def test_run_without_a_loss_is_not_called_healthy(tmp_path):
    found = verdict(run_of(tmp_path / "run", {"val_jaccard": healthy()["val_jaccard"]}), "jaccard")
    assert found.word == "Too little to tell"
    assert found.sentence == "Nothing speaks against it yet; no loss was logged."
    assert not {"overfitting", "convergence"} & set(signs(found))
