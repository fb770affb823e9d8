"""Events of a run as findings: each kind of trouble once, by its code or, in older files, by its words."""

import pytest

from unetdyn.analysis import Curves, stability
from unetdyn.analysis.diagnosis import Evidence, findings_of_events
from unetdyn.analysis.diagnosis.messages.stability import class_of_stability
from unetdyn.runs import RunWriter


def told(*events, epochs=10):
    return findings_of_events(Evidence(Curves({}), epochs=epochs, events=events))


def said(message, epoch=None, monitor="gradient", kind="monitor", **more):
    return {"kind": kind, "message": message, "monitor": monitor, "epoch": epoch, **more}


def test_events_of_one_code_are_one_finding():
    found = told(
        said("Non-finite at 3 of 7.", 2, code="gradient.nonfinite", level="ill"),
        said("Exploding.", 3, code="gradient.exploding", level="watch"),
        said("Quite other words.", 6, code="gradient.nonfinite", level="watch"),
    )
    assert [(one.code, one.level, one.name) for one in found] == [
        ("gradient.nonfinite", "watch", "gradient"),
        ("gradient.exploding", "watch", "gradient"),
    ]
    assert found[0].sentence == "Quite other words. (Last said at epoch 7 of 10; 2 times since epoch 3.)"
    assert found[1].sentence == "Exploding. (Last said at epoch 4 of 10.)"


def test_events_of_two_codes_or_two_monitors_are_two():
    found = told(
        said("NonFiniteGuard: a.", 1, "guard", code="guard.skipped"),
        said("NonFiniteGuard: b.", 1, "guard", code="guard.stopped"),
        said("NonFiniteGuard: a.", 1, "second", code="guard.skipped"),
    )
    assert [one.code for one in found] == ["guard.skipped", "guard.stopped", "guard.skipped"]


NONFINITE = "Non-finite gradients at {} of 8 steps, first at step 1 in 2 entries of a/b (block a)."
SKIPPED = "NonFiniteGuard: {} of 8 updates skipped for non-finite gradients, first at step 1 in a/b (block a)."
STOPPED = "NonFiniteGuard: training stopped after 2 updates skipped in a row for non-finite gradients."


def test_older_files_without_codes_are_grouped_alike():
    found = told(
        said(NONFINITE.format(3), 0),
        said(SKIPPED.format(3), 0, "guard"),
        said(NONFINITE.format(7), 1),
        said(SKIPPED.format(7), 1, "guard"),
        said(STOPPED, 1, "guard"),
    )
    assert [one.code for one in found] == ["gradient.nonfinite", "guard.skipped", "guard.stopped"]
    assert found[0].sentence == NONFINITE.format(7) + " (Last said at epoch 2 of 10; 2 times since epoch 1.)"


def test_run_that_went_on_with_codes_is_grouped_as_one():
    found = told(said(NONFINITE.format(3), 0), said(NONFINITE.format(4), 5, code="gradient.nonfinite", level="ill"))
    assert [(one.code, one.level) for one in found] == [("gradient.nonfinite", "ill")]


def test_messages_of_nobody_known_are_told_apart_by_their_first_words(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(5):
        writer.log_epoch(epoch, {"loss": 0.5})
    writer.event("train_begin", "Training began at epoch 1.")
    for epoch, norm in enumerate((12, 15, 30)):
        writer.event("monitor", f"Weights too far: at most {norm}.", monitor="mine", epoch=epoch)
    writer.event("monitor", "Weights too far: at most 3.", monitor="second", epoch=1)
    writer.event("warning", "No val_jaccard.")
    writer.event("best", "Epoch 2 is the best so far.", epoch=1)
    writer.event("failed", "Training stopped after 3 whole epochs. OSError: full")
    found = findings_of_events(Evidence.read(writer.path))
    assert [one.sentence for one in found] == [
        "Weights too far: at most 30. (Last said at epoch 3 of 5; 3 times since epoch 1.)",
        "Weights too far: at most 3. (Last said at epoch 2 of 5.)",
        "No val_jaccard.",
        "Training stopped after 3 whole epochs. OSError: full",
    ]
    assert {(one.code, one.level) for one in found} == {("", "unknown")}


CALM, WILD, BROKEN = stability([0.2, 0.2], 2), stability([0.2, 0.5], 2), stability([0.2, float("nan")], 2)


def scatter(name, found, epoch, coded, monitor="stability"):
    finding = class_of_stability(name, found)
    codes = {"code": finding.code, "level": finding.level} if coded else {}
    return said(finding.sentence, epoch, monitor, **codes)


@pytest.mark.parametrize("monitor", ["stability", "scatter"])
@pytest.mark.parametrize("coded", [True, False], ids=["with codes", "older file"])
def test_good_news_is_no_finding(coded, monitor):
    """The validation loss became Excellent in the end, the loss Poor; whatever name the monitor was given."""
    found = told(
        scatter("val_loss", WILD, 0, coded, monitor),
        scatter("loss", CALM, 0, coded, monitor),
        scatter("val_loss", CALM, 1, coded, monitor),
        scatter("loss", WILD, 1, coded, monitor),
    )
    assert [(one.code, one.level) for one in found] == [("stability.loss", "ill")]
    assert found[0].sentence.endswith("more validation data. (Last said at epoch 2 of 10; 2 times since epoch 1.)")


@pytest.mark.parametrize("coded", [True, False], ids=["with codes", "older file"])
@pytest.mark.parametrize(("last", "codes"), [(BROKEN, ["stability.val_loss"]), (CALM, [])])
def test_scatter_that_is_no_number_is_of_the_same_kind(coded, last, codes):
    found = told(*(scatter("val_loss", one, epoch, coded) for epoch, one in enumerate((CALM, BROKEN, last))))
    assert [one.code for one in found] == codes


@pytest.mark.parametrize(
    "event",
    [
        said("mask quality: Good (0.9), but only on the training set.", 1, "mine"),
        said("val_loss: σ 0.02 of 5 folds: Good (0.01 ≤ σ < 0.05).", 1, "mine"),
        said("Quality: Good (3 of 4).", 1, "stability"),
        said("Quality: Good (3 of 4).", 1, "mine", code="mine.quality", level="good"),
        said("val_loss: σ 0.02 over the last 5 epochs: Good (0.01 ≤ σ < 0.05).", 1, "stability", kind="warning"),
        said("Quality: Good (3 of 4).", 1, "mine", code="stability.mine", level="splendid"),
    ],
)
def test_a_users_own_good_words_do_not_vanish(event):
    (found,) = told(event)
    assert found.sentence.startswith(event["message"])


@pytest.mark.parametrize(
    "event", [{"kind": "monitor"}, said(None, 1), said("Text.", "three"), said("Text.", 1, code=3)]
)
def test_events_of_any_shape_are_told(event):
    assert len(told(event)) == 1


def test_word_of_an_epoch_that_was_never_finished():
    assert told(said("Trouble.", 4), epochs=3)[0].sentence == "Trouble. (Last said at epoch 5 of 5.)"
