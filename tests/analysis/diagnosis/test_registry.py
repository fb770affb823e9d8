"""The rules together: what they say of planted trainings, and the text that explains them."""

import math
import pkgutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from planted_runs import CALM, EPOCHS, descent, gradients, healthy, jumping, planted
from unetdyn.analysis.diagnosis import Evidence, diagnose, rules, rules_in_words
from unetdyn.analysis.diagnosis.change import LITTLE, NOISE_SCALES
from unetdyn.analysis.diagnosis.finding import LEVELS
from unetdyn.analysis.diagnosis.limit import share, times
from unetdyn.analysis.diagnosis.registry import RULES
from unetdyn.analysis.diagnosis.rules import (
    best,
    exploding,
    jumps,
    losses,
    nonfinite,
    skipped,
    stability,
    updates,
    vanishing,
)
from unetdyn.analysis.diagnosis.rules._gradient import OFTEN
from unetdyn.runs import RunWriter


def rows(found):
    return {row.name: row for row in found.rows}


def test_every_rule_in_the_folder_is_registered():
    names = [module.name for module in pkgutil.iter_modules(rules.__path__) if not module.name.startswith("_")]
    modules = [import_module(f"{rules.__name__}.{name}") for name in names]
    assert len(RULES) == len(modules) == len(set(RULES))
    assert set(RULES) == set(modules)


def test_no_two_rules_share_a_code():
    codes = [code for rule in RULES for code in {limit.code for limit in rule.LIMITS}]
    assert len(codes) == len(set(codes))


EVIDENCE = [
    Evidence.read({"loss": [1.0]}),
    planted(),
    replace(planted(), status="failed"),
    replace(planted(), status="running"),
    planted(loss=np.full(EPOCHS, 0.69), val_loss=jumping(1.0), val_jaccard=np.full(EPOCHS, math.nan)),
    planted(loss=np.linspace(0.3, 0.4, EPOCHS), val_loss=0.69 + CALM, val_jaccard=jumping(0.2)),
    planted(grad_exploding=np.ones(EPOCHS), grad_vanishing_blocks=np.ones(EPOCHS), update_ratio_log10=-CALM),
    planted({"mine": gradients(640, applied=False)}, grad_nonfinite=np.ones(EPOCHS)),
]


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_findings_are_of_the_rules_codes_and_levels_and_give_their_reasons(evidence):
    for rule in RULES:
        for found in rule.find(evidence):
            limit = next(
                limit for limit in rule.LIMITS if (limit.code, limit.threshold) == (found.code, found.threshold)
            )
            assert found.level in LEVELS
            assert found.name
            assert found.seen
            if found.level in ("watch", "ill"):
                assert found.why
                assert found.source
                assert getattr(limit, found.level)


THRESHOLDS = {
    share(best.LOST_MUCH): "lost {} of its best",
    share(jumps.JUMPS_FAR): "jumps by {} of its best",
    share(LITTLE): "stayed within {}",
    times(NOISE_SCALES): "within {} its noise",
    times(losses.GIVEN_BACK["val_loss"][1]): "validation loss rose again by {} what",
    f"{exploding.EXPLODE:g}": "explode (a norm above {}, by default) in a tenth of the epochs",
    f"{vanishing.VANISH:g}": "vanish in a block (a median norm below {}, by default) in a tenth of the epochs",
    share(OFTEN): "not finite at {} of the steps",
    f"{updates.HIGH:g}": "(to {}, by default)",
    share(skipped.HALF): "are skipped at {} of the steps",
    times(updates.FAR): "are above {} the monitor's band",
}


@pytest.mark.parametrize(("words", "text"), THRESHOLDS.items(), ids=str)
def test_text_of_the_rules_has_their_thresholds(words, text):
    assert text.format(words) in rules_in_words()


def test_text_of_the_rules_has_every_rule_that_makes_ill():
    text = rules_in_words()
    for limit in (limit for rule in RULES for limit in rule.LIMITS if limit.ill):
        assert limit.subject in text
        assert limit.ill in text
    assert losses.GIVEN_BACK["loss"][1] == 1
    assert "the training loss" in text
    assert "rose again by all that it had fallen" in text
    assert all(label in text for label, level in stability.LEVEL_OF.items() if level == "ill")
    assert exploding.LIMIT.ill.endswith(f"{share(OFTEN)} of the epochs")
    assert nonfinite.LIMIT.ill.endswith(f"{share(OFTEN)} of the steps")
    assert text.endswith("rules of thumb, apart from the limits of the loss's stability (the studies).")


def test_healthy_training_is_called_healthy():
    found = diagnose(replace(planted(), status="finished", epochs=EPOCHS))
    assert (found.word, found.symbol) == ("Healthy", "✓")
    assert found.sentence == "Nothing that was looked at speaks against this training."
    levels = {finding.name: finding.level for finding in found.findings}
    assert set(levels.values()) <= {"good", "unknown"}
    assert [levels[name] for name in ("ended", "validation Jaccard", "jumps", "collapses", "stability")] == ["good"] * 5


@pytest.mark.parametrize(
    ("change", "code", "level"),
    [
        ({"val_jaccard": jumping(0.07)}, "metric.jumps", "watch"),
        ({"val_jaccard": jumping(0.20)}, "metric.jumps", "ill"),
        ({"val_jaccard": np.zeros(EPOCHS)}, "metric.zero", "ill"),
        ({"val_loss": 0.69 + CALM}, "loss.flat", "watch"),
        ({"loss": np.r_[healthy()["loss"][:-1], 1e6]}, "loss.rose", "ill"),
        ({"grad_exploding": np.r_[np.zeros(38), 1, 2]}, "gradient.exploding", "watch"),
        ({"update_ratio_log10": np.full(EPOCHS, -1.0)}, "update.large", "ill"),
    ],
)
def test_training_is_as_ill_as_its_worst_finding(change, code, level):
    found = diagnose(planted(**change))
    (reason,) = (finding for finding in found.findings if finding.code == code)
    assert found.level == reason.level == level
    assert reason.why in found.sentence[0].lower() + found.sentence[1:]


def test_watch_comes_after_ill_in_the_sentence():
    sentence = diagnose(planted(val_jaccard=jumping(0.2), grad_exploding=np.r_[np.zeros(39), 1])).sentence
    worst, beside = sentence.split(" Beside that, ")
    assert "jumps by" in worst
    assert "gradient exploded in 1 of 40 epochs" in beside


def test_several_findings_on_one_thing_are_one_row():
    trouble = {"grad_exploding": np.ones(EPOCHS), "grad_vanishing_blocks": np.r_[1, np.zeros(EPOCHS - 1)]}
    found = diagnose(planted(**trouble))
    levels = {finding.code: finding.level for finding in found.findings if finding.name == "gradients"}
    assert levels == {"gradient.exploding": "ill", "gradient.vanishing": "watch"}
    row = rows(found)["gradients"]
    exploded, vanished = (
        "the gradient exploded in 40 of 40 epochs",
        "the gradient vanished in a block in 1 of 40 epochs",
    )
    assert (row.level, row.seen, row.why) == ("ill", f"{exploded}; {vanished}", f"{exploded} and {vanished}")
    assert rows(found)["loss"].seen.count("at the end") == 2


def test_rows_of_two_kinds_stay_apart_whatever_the_metric_is_called():
    logs = {"loss": healthy()["loss"], "gradients": healthy()["val_jaccard"], "grad_exploding": np.ones(EPOCHS)}
    levels = [row.level for row in diagnose(Evidence.read(logs, metric="gradients")).rows if row.name == "gradients"]
    assert levels == ["good", "ill"]


@pytest.mark.parametrize(("epochs", "word"), [(9, "Too little to tell"), (10, "Healthy")])
def test_training_too_short_for_its_stability_is_not_called_healthy(epochs, word):
    found = diagnose(
        Evidence.read({"loss": 0.5 - 0.001 * np.arange(epochs), "val_jaccard": 0.5 + 0.001 * np.arange(epochs)})
    )
    assert found.word == word
    assert ("σ not defined: 9 of the 10 epochs" in found.sentence) == (epochs == 9)


def test_training_without_a_loss_is_not_called_healthy():
    found = diagnose(Evidence.read({"val_jaccard": healthy()["val_jaccard"]}))
    assert found.word == "Too little to tell"
    assert found.sentence == "Nothing speaks against it yet; no loss was logged."
    assert not {"overfitting", "convergence"} & set(rows(found))


@pytest.mark.parametrize(
    "logs", [{"loss": [1.0]}, {"loss": [math.nan] * 3}, {"loss": [1.0, 0.5], "val_jaccard": [0.1]}]
)
def test_little_is_no_error(logs):
    found = rows(diagnose(Evidence.read(logs)))
    assert found["stability"].level == "unknown"
    assert ("jumps" in found) == ("val_jaccard" in logs)


@pytest.mark.parametrize("epochs", [10, 12, 15, 20, 40])
@pytest.mark.parametrize("tau", [1, 2, 4, 8, 16])
def test_smooth_descent_is_never_ill_however_short(tau, epochs):
    found = diagnose(Evidence.read(descent(tau, epochs)))
    assert found.level in ("good", "unknown")
    assert (found.word == "Too little to tell") == (rows(found)["stability"].level == "unknown")


def test_validation_in_every_fourth_epoch_is_no_illness(tmp_path):
    logs, writer = descent(8, EPOCHS), RunWriter(tmp_path / "run")
    for epoch in range(EPOCHS):
        kept = [name for name in logs if epoch % 4 == 3 or name == "loss"]
        writer.log_epoch(epoch, {name: float(logs[name][epoch]) for name in kept})
    writer.finish("finished")
    assert diagnose(Evidence.read(writer.path)).word == "Too little to tell"


@pytest.mark.parametrize("error", ["mae", "mse", "rmse", "hausdorff", "perplexity"])
def test_an_error_is_no_metric_that_should_rise(error):
    """A training that logs none but an error is judged by its losses; asked for by name, its lowest is the best."""
    losses_only = {name: healthy()[name] for name in ("loss", "val_loss")}
    logs = {**losses_only, error: losses_only["loss"], f"val_{error}": losses_only["loss"]}
    evidence = Evidence.read(logs)
    assert (evidence.metric, diagnose(evidence).word) == (None, "Healthy")
    assert diagnose(Evidence.read(logs, error)).word == "Healthy"


def test_damaged_record_leaves_a_diagnosis(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.save_arrays("gradient", **gradients(0, applied=True))
    for epoch in range(EPOCHS):
        logs = {name: float(values[epoch]) for name, values in healthy().items()}
        writer.log_epoch(epoch, logs | {"grad_exploding": 0.0})
    writer.finish("finished")
    (tmp_path / "run/dynamics/gradient.npz").write_bytes(b"PK damaged")
    assert diagnose(Evidence.read(writer.path)).word == "Healthy"


def test_thresholds_and_messages_load_no_rule_that_they_do_not_need():
    code = (
        "import sys; from unetdyn.analysis.diagnosis.rules.updates import HIGH;"
        "print(sorted(name for name in sys.modules if name.startswith('unetdyn.analysis.diagnosis.r')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = ["unetdyn.analysis.diagnosis.rules", "unetdyn.analysis.diagnosis.rules.updates"]
    assert done.stdout.strip() == str(expected)
