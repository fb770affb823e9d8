"""Which pictures a report draws of a record: those that its monitor declared."""

import numpy as np
import pytest

from html_page import make_run, report
from predicted import planted_record
from unetdyn.analysis import read_history
from unetdyn.analysis.declarations import AUTO_CLIP, GRADIENT, PREDICTIONS, Declaration, DeclaredDisplay
from unetdyn.report.drawing import Display
from unetdyn.report.page.pictures import pictures_of
from unetdyn.runs import RunWriter, open

STEPS = np.arange(4)
GRADIENTS = {"step": STEPS, "grad_norm": STEPS + 1.0, "block_grad_norm": {"enc1": STEPS + 1.0}}


def pictures(folder, record, declared=None, name="mine"):
    writer = RunWriter(folder)
    writer.log_epoch(0, {"other": 0.5})
    writer.save_arrays(name, **record)
    if declared is not None:
        writer.declare(monitors={name: declared.named(name).as_json()})
    run = open(folder)
    return pictures_of(run, read_history(run), None, {"window": 10, "ddof": 1}, "a")


@pytest.mark.parametrize(
    ("declared", "titles"),
    [
        (None, ["Gradient norm", "Gradient by block"]),
        (GRADIENT, ["Gradient norm", "Gradient by block"]),
        (AUTO_CLIP, ["Gradient norm"]),
        (Declaration("mine"), []),
    ],
)
def test_pictures_are_those_declared_or_else_those_of_known_arrays(tmp_path, declared, titles):
    found = pictures(tmp_path, GRADIENTS, declared)
    assert [picture.title for picture in found] == titles
    assert all("<svg" in picture.svg for picture in found)


def test_own_monitor_has_the_display_that_it_names(tmp_path):
    own = Declaration("mine", displays=(DeclaredDisplay("How sharp", "grad_norm", "GradientDisplay"),))
    (picture,) = pictures(tmp_path, GRADIENTS, own)
    assert picture.title == "How sharp"
    assert "<svg" in picture.svg


def test_nothing_is_drawn_of_an_array_that_is_not_there_or_empty(tmp_path):
    empty = {"step": STEPS[:0], "grad_norm": STEPS[:0], "block_grad_norm": {}}
    assert pictures(tmp_path / "empty", empty, GRADIENT) == []
    assert pictures(tmp_path / "other", {"step": STEPS, "other": STEPS}, GRADIENT) == []
    assert pictures(tmp_path / "epochs", {"grad_norm": STEPS}) == []  # of no step: a stranger's


def test_a_display_of_somebody_else_is_none_of_ours(tmp_path):
    class OwnDisplay(Display):
        @classmethod
        def from_record(cls, _):
            raise AssertionError("a run's file may name no code but ours")

    own = Declaration("mine", displays=(DeclaredDisplay("How sharp", "grad_norm", OwnDisplay.__name__),))
    (picture,) = pictures(tmp_path, GRADIENTS, own)
    assert "could not be drawn: `display` must be one of" in picture.svg


@pytest.mark.parametrize("display", ["GradientsDisplay", "write_report", "Any"])
def test_a_display_that_is_none_of_ours_is_told_in_its_place(tmp_path, display):
    own = Declaration("mine", displays=(DeclaredDisplay("How sharp", "grad_norm", display),))
    (picture,) = pictures(tmp_path, GRADIENTS, own)
    assert "could not be drawn: `display` must be one of" in picture.svg
    assert "<svg" not in picture.svg


def test_predictions_stand_by_themselves_right_under_the_verdict(tmp_path):
    found = report(tmp_path, predicting(tmp_path / "run").path)
    assert found.texts("h2")[:4] == ["Summary", "Predictions", "Pictures", "Epochs"]
    captions = found.texts("figcaption")
    assert captions[:3] == ["Predictions", "The worst tiles over the epochs", "What the gates let through"]
    assert not set(captions[:3]) & set(captions[3:])
    labels = [attributes["aria-label"] for _, attributes, _ in found.all("svg")]
    assert "prediction. epoch 5" in labels[0]


@pytest.mark.filterwarnings("ignore:What 'predictions' recorded is left out")
def test_damaged_predictions_cost_their_own_picture_only(tmp_path):
    run = predicting(tmp_path / "run")
    (run.path / "dynamics/predictions.npz").write_bytes(b"no archive")
    found = report(tmp_path, run.path)
    assert "What 'predictions' recorded" in found.texts("figcaption")
    assert any("This picture could not be drawn" in text for text in found.texts("p"))


def predicting(folder):
    writer = make_run(folder, epochs=3, arrays=False)
    writer.declare(monitors={"predictions": PREDICTIONS.as_json()})
    writer.save_arrays("predictions", **planted_record())
    return writer
