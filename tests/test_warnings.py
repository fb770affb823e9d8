"""Warnings with a code, and what becomes of them in the run directory of a training."""

import gc
import pickle
import warnings

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn._warnings import CodedWarning, listen, unlisten, warn
from unetdyn.analysis.diagnosis import Evidence, findings_of_events
from unetdyn.callbacks import RunRecorder
from unetdyn.metrics import SoftJaccard, ThresholdedJaccard
from unetdyn.metrics.input_flags import CODES, WARNINGS
from unetdyn.metrics.label_warnings import Labels, label_warnings

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, (4, 2, 2, 1)).astype("float32")
OUTPUTS = RNG.random((4, 2, 2, 1), dtype="float32")


class Ear:
    def __init__(self):
        self.heard = []

    def hear(self, code, message):
        self.heard.append((code, message))


@pytest.fixture
def ear():
    ear = Ear()
    yield ear
    unlisten(ear.hear)


def said(code):
    """Warn, with the warning caught."""
    with pytest.warns(CodedWarning) as caught:
        warn(code, "It is so.")
    return caught[0]


def test_warning_has_its_code_and_the_place_that_called():
    caught = said("labels.scale")
    assert (caught.message.code, str(caught.message), caught.filename) == ("labels.scale", "It is so.", __file__)
    assert issubclass(CodedWarning, UserWarning)


def test_warning_goes_from_process_to_process():
    copy = pickle.loads(pickle.dumps(CodedWarning("It is so.", "labels.scale")))
    assert (type(copy), str(copy), copy.code) == (CodedWarning, "It is so.", "labels.scale")


def test_who_listens_is_told_whatever_the_filters_do(ear):
    listen(ear.hear, "a training")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warn("labels.scale", "It is so.")
    warn("labels.scale", "It is so.", again=True)  # an error, were it a warning of Python's
    assert ear.heard == [("labels.scale", "It is so.")] * 2


def test_who_is_gone_or_listens_to_another_training_is_told_no_more(ear):
    other, gone = Ear(), Ear()
    for each in (other, gone, other):
        listen(each.hear, "one")
    del gone
    gc.collect()
    said("a")
    assert len(other.heard) == 1
    listen(ear.hear, "two")
    said("b")
    unlisten(ear.hear)
    said("c")
    assert [[code for code, _ in each.heard] for each in (other, ear)] == [["a"], ["b"]]


def model_of(*metrics):
    """Its output is its input."""
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Conv2D(1, 1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=list(metrics))
    return model


def events_of(path, model, labels=LABELS, outputs=OUTPUTS, callbacks=(), **arguments):
    """The warnings among the events of a training."""
    recorder = RunRecorder(path, save_best=None)
    arguments = {"epochs": 3, "verbose": 0, "batch_size": 2} | arguments
    model.fit(outputs, labels, callbacks=[*callbacks, recorder], **arguments)
    return [event for event in runs.open(path).events if event["kind"] == "warning"]


BAD = {
    "labels.scale": (LABELS * 255, OUTPUTS),
    "labels.fractional": (LABELS * 0.8, OUTPUTS),
    "outputs.range": (LABELS, OUTPUTS * 8 - 4),
    "outputs.nonfinite": (LABELS, np.where(OUTPUTS > 0.5, np.nan, OUTPUTS)),
    "outputs.constant": (LABELS, np.ones_like(OUTPUTS)),
}
TEXTS = {CODES[name]: text for name, text in WARNINGS.items()}
TEXTS |= dict(label_warnings(Labels(smallest=255, largest=255)))
TEXTS |= dict(label_warnings(Labels(smallest=0.8, largest=0.8)))


def test_every_warning_of_a_metric_has_a_code_of_its_own():
    assert CODES.keys() == WARNINGS.keys()
    assert len(set(CODES.values())) == len(CODES)


@pytest.mark.parametrize("code", BAD)
def test_bad_data_are_an_event_once_a_fit(tmp_path, code):
    model = model_of(ThresholdedJaccard(), SoftJaccard())
    expected = {"code": code, "level": "watch", "epoch": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        events = events_of(tmp_path / "first", model, *BAD[code])
    assert [{key: event[key] for key in expected} for event in events if event["code"] == code] == [expected]
    assert TEXTS[code] in next(event["message"] for event in events if event["code"] == code)
    # The same model again: Python is not warned again, and the second run is told all the same.
    again = events_of(tmp_path / "second", model, *BAD[code])
    assert [event["code"] for event in again] == [event["code"] for event in events]
    evidence = Evidence.read(tmp_path / "second")
    assert code in [found.code for found in findings_of_events(evidence)]


def test_bad_validation_data_are_an_event_of_their_epoch(tmp_path):
    given = {"validation_data": (OUTPUTS, LABELS * 255), "validation_freq": 2}
    with pytest.warns(CodedWarning):
        events = events_of(tmp_path, model_of(ThresholdedJaccard()), **given)
    assert [(event["code"], event["epoch"]) for event in events] == [("labels.scale", 1)]


def test_good_data_are_no_event(tmp_path):
    assert events_of(tmp_path, model_of(ThresholdedJaccard())) == []


class Raise(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("stopped")


def test_recorder_of_a_training_that_an_exception_ended_is_told_no_more(tmp_path):
    old, new = RunRecorder(tmp_path / "old", save_best=None), tmp_path / "new"
    with pytest.raises(RuntimeError, match="stopped"):
        model_of().fit(OUTPUTS, LABELS, verbose=0, callbacks=[Raise(), old])
    with pytest.warns(CodedWarning):
        assert len(events_of(new, model_of(ThresholdedJaccard()), LABELS * 255)) == 1
    said("labels.fractional")
    assert [event["kind"] for event in runs.open(old.path).events] == ["train_begin"]
    assert len([event for event in runs.open(new).events if event["kind"] == "warning"]) == 1


def test_failed_recorder_is_told_no_more(tmp_path):
    recorder = RunRecorder(tmp_path, save_best=None)
    with pytest.raises(RuntimeError, match="stopped") as caught:
        model_of().fit(OUTPUTS, LABELS, verbose=0, callbacks=[Raise(), recorder])
    said("labels.scale")
    recorder.fail(caught.value)
    said("labels.fractional")
    assert [each.get("code") for each in runs.open(tmp_path).events if each["kind"] == "warning"] == ["labels.scale"]


def test_two_recorders_of_one_fit_are_both_told(tmp_path):
    other = RunRecorder(tmp_path / "other", save_best=None)
    with pytest.warns(CodedWarning):
        events_of(tmp_path / "one", model_of(ThresholdedJaccard()), LABELS * 255, callbacks=[other])
    for name in ("one", "other"):
        assert "labels.scale" in [event.get("code") for event in runs.open(tmp_path / name).events]
