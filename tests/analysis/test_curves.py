import csv
import types

import numpy as np
import pytest

import unetdyn.runs
from unetdyn.analysis import Curves, read_history


def lists(curve):
    return curve.epochs.tolist(), curve.values.tolist()


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_read_history_takes_a_dictionary_and_a_history_alike():
    logs = {"loss": [0.9, 0.5], "val_loss": [0.8, float("nan")]}
    history = types.SimpleNamespace(history=logs, epoch=[3, 4])  # what `fit(initial_epoch=3)` returns
    assert lists(read_history(logs)["loss"]) == ([0, 1], [0.9, 0.5])
    curves = read_history(history)
    assert lists(curves["loss"]) == ([3, 4], [0.9, 0.5])
    assert np.isnan(curves["val_loss"].values[1])
    assert curves.epochs == 2


def test_read_history_takes_curves_as_they_are():
    curves = read_history({"loss": [1.0]})
    assert read_history(curves) is curves


@pytest.mark.parametrize("frequency", [2, [2, 4]])
def test_read_history_places_validations_where_they_were(frequency):
    curves = read_history({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [3.0, 1.0]}, validation_freq=frequency)
    assert lists(curves["val_loss"]) == ([1, 3], [3.0, 1.0])


def test_read_history_asks_for_the_validation_frequency_that_it_cannot_know():
    with pytest.raises(ValueError, match=r"`validation_freq` must be .* makes 4 validations in 4 epochs, but val_loss"):
        read_history({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [3.0, 1.0]})


def test_read_history_gives_a_late_key_the_last_epochs():
    assert lists(read_history({"loss": [3.0, 2.0, 1.0], "stability": [0.1]})["stability"]) == ([2], [0.1])


def test_read_history_reads_what_csv_logger_writes(tmp_path):
    path = write(tmp_path / "log.csv", "epoch,jaccard,loss,val_loss\n0,0.1,0.9,NA\n1,0.2,nan,0.5\n2,0.3,0.7,NA\n")
    curves = read_history(path)
    assert lists(curves["val_loss"]) == ([1], [0.5])
    assert lists(curves["jaccard"]) == ([0, 1, 2], [0.1, 0.2, 0.3])
    assert np.isnan(curves["loss"].values[1])
    assert curves.source == "log.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_read_history_sorts_rows_and_takes_the_later_of_two(tmp_path, separator):
    path = tmp_path / "log.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([["epoch", "loss"], [2, 0.3], [0, 0.9], [1, 0.6], [1, 0.5]])
    assert lists(read_history(str(path))["loss"]) == ([0, 1, 2], [0.9, 0.5, 0.3])


def test_read_history_numbers_the_rows_of_a_csv_without_epochs(tmp_path):
    assert lists(read_history(write(tmp_path / "log.csv", "loss\n0.5\n0.25\n"))["loss"]) == ([0, 1], [0.5, 0.25])


def test_read_history_refuses_a_csv_cell_that_is_no_number(tmp_path):
    path = write(tmp_path / "log.csv", "epoch,loss\n0,0.5\n1,oops\n")
    with pytest.raises(ValueError, match=r"must hold numbers. Received: 'oops' as loss in the row of epoch 1"):
        read_history(path)


def test_read_history_passes_over_a_csv_column_of_words(tmp_path):
    assert list(read_history(write(tmp_path / "log.csv", 'epoch,per_class,loss\n0,"[0.1, 0.2]",0.5\n'))) == ["loss"]


@pytest.mark.parametrize("text", ["", "epoch,loss\n"])
def test_read_history_refuses_an_empty_csv(tmp_path, text):
    with pytest.raises(ValueError, match="must hold a header and a row for each epoch"):
        read_history(write(tmp_path / "log.csv", text))


def test_read_history_opens_a_run_directory(tmp_path):
    writer = unetdyn.runs.RunWriter(tmp_path / "run")
    writer.log_epoch(0, {"loss": 0.5})
    writer.log_epoch(1, {"loss": 0.4, "val_loss": 0.6})
    for source in (tmp_path / "run", str(tmp_path / "run"), unetdyn.runs.open(tmp_path / "run")):
        curves = read_history(source)
        assert lists(curves["val_loss"]) == ([1], [0.6])
        assert (curves.source, curves.epochs) == ("run", 2)


def test_read_history_says_that_there_is_nothing_at_a_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not there"):
        read_history(tmp_path / "nowhere")


def test_read_history_refuses_what_is_no_history():
    with pytest.raises(TypeError, match=r"`history` must be a keras History, .* Received: int."):
        read_history(3)
    with pytest.raises(ValueError, match=r"one number an epoch under each name. Received: 'loss': \[\[1.0\]\]"):
        read_history({"loss": [[1.0]]})


def test_curves_name_the_nearest_logged_value():
    with pytest.raises(ValueError, match=r"'val_jacard' was not logged in history, .* Did you mean 'val_jaccard'\?"):
        read_history({"loss": [1.0], "val_jaccard": [0.5]}).curve("val_jacard")


@pytest.mark.parametrize(
    ("names", "metric"),
    [
        (["loss", "accuracy", "jaccard"], "jaccard"),
        (["loss", "accuracy", "val_loss", "val_jacard_coef"], "jacard_coef"),
        (["loss", "grad_norm", "dice", "val_dice"], "dice"),
        (["loss", "iou"], "iou"),
        (["loss", "val_loss", "val_loss_stability", "grad_norm", "learning_rate"], None),
    ],
)
def test_curves_find_the_metric(names, metric):
    assert Curves({name: (np.arange(1), np.ones(1)) for name in names}).default_metric == metric


def test_curves_refuse_to_guess_without_a_metric():
    with pytest.raises(ValueError, match=r"No metric was logged in history, which has loss: .*`metric=`"):
        read_history({"loss": [1.0]}).metric()


def test_curves_prefer_validation():
    curves = read_history({"loss": [1.0], "val_loss": [2.0], "jaccard": [0.5]})
    assert [curves.watched(name)[0] for name in ("loss", "jaccard")] == ["val_loss", "jaccard"]


def test_read_history_bears_a_hundred_thousand_epochs(tmp_path):
    losses = np.linspace(1, 0, 100_000)
    path = write(tmp_path / "log.csv", "epoch,loss\n" + "".join(f"{i},{v:.6f}\n" for i, v in enumerate(losses)))
    np.testing.assert_allclose(read_history(path)["loss"].values, losses, atol=1e-6)
