"""A training in stages with several losses: each is judged by itself."""

import numpy as np
import pytest

from unetdyn.analysis import Curves, diagnose
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.stages import comparable, loss_since
from unetdyn.report.page.content import content_of
from unetdyn.runs import RunWriter
from unetdyn.runs import open as open_run

EPOCHS, SECOND = 40, 20
CURVES = Curves({"loss": (np.arange(EPOCHS), np.ones(EPOCHS)), "val_jaccard": (np.arange(EPOCHS), np.ones(EPOCHS))})


def stages(*losses):
    """One stage after the other, each with this loss."""
    setups = [{"loss": {"name": loss, "config": {}}} if loss else {} for loss in losses]
    return [{"name": f"s{place}", "epoch": SECOND * place, "setup": setup} for place, setup in enumerate(setups)]


@pytest.mark.parametrize(
    ("recorded", "since"),
    [
        ([], 0),
        (stages("focal", "focal"), 0),
        (stages("focal", "dice"), SECOND),
        (stages("focal", None), 0),  # it ended before its first epoch did
        (stages("focal", "focal", "dice"), 0),  # no epoch of the last
        ("damaged", 0),
        (["damaged", {"epoch": "3", "setup": 4}, *stages("focal", "dice")], SECOND),
    ],
)
def test_loss_since_is_the_first_epoch_of_the_last_loss(recorded, since):
    assert loss_since(recorded, CURVES) == since


def test_comparable_shortens_losses_alone():
    shortened = comparable(CURVES, SECOND)
    assert shortened["loss"].epochs.tolist() == list(range(SECOND, EPOCHS))
    assert shortened["val_jaccard"].epochs.tolist() == list(range(EPOCHS))
    assert comparable(CURVES, 0) is CURVES


@pytest.fixture
def run(tmp_path):
    """A loss near 0.05, and from the second stage on another near 2, which has little left to fall."""
    writer, noise = RunWriter(tmp_path / "run"), np.random.default_rng(0).normal(size=(EPOCHS, 3))
    for epoch in range(EPOCHS):
        left = np.exp(-epoch / 5)
        loss = 0.05 + 0.5 * left if epoch < SECOND else 2.0
        row = {"loss": loss + 0.002 * noise[epoch, 0], "val_loss": loss + 0.002 * noise[epoch, 1]}
        writer.log_epoch(epoch, row | {"val_jaccard": 0.8 - 0.7 * left + 0.003 * noise[epoch, 2]})
    writer.declare(metrics={"jaccard": "up"})
    writer.finish()
    return writer


def test_diagnose_does_not_compare_a_loss_with_another_one(run):
    codes = {found.code for found in diagnose(run.path).headline}
    assert {"loss.rose"} & codes
    run.declare(stages=stages("focal", "dice"))
    found = diagnose(run.path)
    assert (found.level, [each.code for each in found.headline]) == ("good", [])
    evidence = Evidence.read(run.path)
    assert (evidence.loss_since, evidence.epochs, len(evidence.values("loss"))) == (SECOND, EPOCHS, EPOCHS - SECOND)


def test_constant_answers_of_an_earlier_loss_do_not_count(run):
    """The last loss, 2, is below its own constant answer's, 4, and above that of the first loss."""
    epochs = np.arange(EPOCHS)
    costs = np.where(epochs < SECOND, 0.1, 4.0)  # the median of all is 2.05
    run.declare(stages=stages("focal", "dice"))
    run.save_arrays("batch", epoch=epochs, constant_loss=costs, val_constant_loss=costs + 1)
    evidence = Evidence.read(run.path)
    np.testing.assert_array_equal(evidence.constant_loss(), costs[SECOND:])
    np.testing.assert_array_equal(evidence.constant_loss("val_"), costs[SECOND:] + 1)
    assert not {"loss.constant"} & {found.code for found in diagnose(run.path).findings}
    run.declare(stages=[])
    assert len(Evidence.read(run.path).constant_loss()) == EPOCHS


def test_report_shows_what_the_diagnosis_leaves_out(run):
    run.declare(stages=stages("focal", "dice"))
    content = content_of(open_run(run.path), None, "run", "a")
    assert len(content.curves["loss"].epochs) == EPOCHS
    assert ("stages", "s0 1–20, s1 21–40") in content.origin
