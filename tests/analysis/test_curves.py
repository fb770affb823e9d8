import csv
from types import SimpleNamespace

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
    history = SimpleNamespace(history=logs, epoch=[3, 4])  # what `fit(initial_epoch=3)` returns
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


@pytest.mark.parametrize("frequency", range(1, 7))
@pytest.mark.parametrize("first", [0, 5])
def test_read_history_infers_the_validation_frequency(frequency, first):
    epochs = np.arange(first, 40)
    validated = [epoch for epoch in epochs if (epoch + 1) % frequency == 0]  # the rule of Keras
    logs = {"loss": np.ones(len(epochs)), "val_loss": np.ones(len(validated)), "val_jaccard": np.ones(len(validated))}
    curves = read_history(SimpleNamespace(history=logs, epoch=epochs.tolist()))
    assert curves["val_jaccard"].epochs.tolist() == validated


def test_read_history_asks_for_the_validation_frequency_that_it_cannot_know():
    text = r"values: val_loss 2; as `validation_freq`, each of 4, 5 would fit.*`read_history\(history, validation_freq="
    with pytest.raises(ValueError, match=text):
        read_history({"loss": np.ones(10), "val_loss": np.ones(2)})
    with pytest.raises(ValueError, match=r"values: val_jaccard 3, val_dice 10; .* no single one fits"):
        read_history({"loss": np.ones(10), "val_jaccard": np.ones(3), "val_dice": np.ones(10)})
    with pytest.raises(
        ValueError, match=r"`validation_freq` must be .* makes 10 validations in 10 epochs, but val_jac"
    ):
        read_history({"loss": np.ones(10), "val_jaccard": np.ones(3)}, validation_freq=1)


@pytest.mark.parametrize("frequency", [0, 1.5, True, "2", [0], [1.5]])
def test_read_history_refuses_a_validation_frequency_that_fit_would_not_take(frequency):
    with pytest.raises(ValueError, match=r"`validation_freq` must be a whole number of epochs, 1 or more. Received: "):
        read_history({"loss": np.ones(4), "val_loss": np.ones(2)}, validation_freq=frequency)


@pytest.mark.parametrize("frequency", [np.int64(2), np.array([2, 4]), (2, 4)])
def test_read_history_takes_numpy_as_validation_frequency(frequency):
    curves = read_history({"loss": np.ones(4), "val_loss": np.ones(2)}, validation_freq=frequency)
    assert curves["val_loss"].epochs.tolist() == [1, 3]


def test_read_history_sorts_a_dictionary_and_takes_the_later_of_two():
    curves = read_history({"epoch": [2, 0, 1, 1], "loss": [0.3, 0.9, 0.6, 0.5], "val_loss": [0.4, 1.0, 0.7, 0.6]})
    assert lists(curves["loss"]) == ([0, 1, 2], [0.9, 0.5, 0.3])
    assert lists(curves["val_loss"]) == ([0, 1, 2], [1.0, 0.6, 0.4])


@pytest.mark.parametrize("epoch", [[0, 0.5], [0, float("nan")], [0, 1e30], ["a", "b"]])
def test_read_history_refuses_epochs_that_are_no_whole_numbers(epoch):
    with pytest.raises(ValueError, match=r"`epochs` must be whole numbers, as Keras counts them from 0. Received: \["):
        read_history({"epoch": epoch, "loss": [0.9, 0.5]})


def test_read_history_leaves_out_a_metric_of_several_classes():
    logs = {"loss": [0.9, 0.5], "f1": [np.array([0.1, 0.2]), np.array([0.3, 0.4])], "note": ["a", "b"]}
    assert list(read_history(logs)) == ["loss"]
    with pytest.raises(ValueError, match=r"one number an epoch under each name. Received: 'loss': \[0.5, 'oops'\]"):
        read_history({"loss": [0.5, "oops"]})


@pytest.mark.parametrize("resumed", [False, True])
def test_read_history_keeps_the_last_of_two_trainings_in_one_file(tmp_path, resumed):
    rows = [(0, 0.9), (1, 0.8), (2, 0.7), (1 if resumed else 0, 0.5), *([(2, 0.4)] if resumed else [])]
    path = write(tmp_path / "log.csv", "epoch,loss\n" + "".join(f"{epoch},{loss}\n" for epoch, loss in rows))
    logs = {"epoch": [epoch for epoch, _ in rows], "loss": [loss for _, loss in rows]}
    for source, name in ((path, "log.csv"), (logs, "history")):
        if resumed:
            assert lists(read_history(source)["loss"]) == ([0, 1, 2], [0.9, 0.5, 0.4])
            continue
        with pytest.warns(UserWarning, match=rf"{name} holds 2 trainings.* drop back to 0. Only the last, of 1 rows"):
            curves = read_history(source)
        assert lists(curves["loss"]) == ([0], [0.5])


def test_read_history_reads_csv_files_of_excel_and_pandas(tmp_path):
    path = write(tmp_path / "log.csv", "\ufeff,Epoch,loss\n7,3,0.9\n8,4,0.5\n")
    assert lists(read_history(path)["loss"]) == ([3, 4], [0.9, 0.5])
    assert list(read_history(path)) == ["loss"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"epoch,note\n0,good\n1,bad\n", r"must hold a column of numbers .* none: epoch, note"),
        (b"epoch,loss\nnan,0.5\n", r"must number its epochs: .* whole numbers.* Received: \[nan\]"),
        (b"epoch,loss\n1e30,0.5\n", r"must number its epochs: .* Received: \[1e\+30\]"),
        (b"epoch,loss\n0.5,0.5\n", r"must number its epochs: .* Received: \[0.5\]"),
        (b"epoch,loss\nx,0.5\n", r"must hold numbers. Received: 'x' as epoch in line 2"),
        (b"\x89HDF\xff\xfe", r"must be a text file in UTF-8, as CSVLogger writes. It is not: "),
    ],
)
def test_read_history_says_what_is_wrong_with_a_file(tmp_path, content, text):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=text):
        read_history(path)


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
    with pytest.raises(ValueError, match=r"must hold numbers. Received: 'oops' as loss in line 3"):
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
    with pytest.raises(
        FileNotFoundError, match=r"a file that CSVLogger wrote, .* or of a run .*x.csv, which is not there"
    ):
        read_history(tmp_path / "x.csv")
    with pytest.raises(FileNotFoundError, match=r"which has no run\.json"):
        read_history(tmp_path)


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
        (["edge_loss", "loss", "mask_jaccard", "mask_loss", "val_edge_loss", "val_mask_jaccard"], "mask_jaccard"),
        (["loss", "accuracy", "val_accuracy", "val_mean_io_u"], "mean_io_u"),
        (["loss", "dice_loss", "val_dice_loss", "val_dice_coef"], "dice_coef"),
        (["loss", "val_mae", "mse_1", "root_mean_squared_error", "hausdorff", "brier_score"], None),
        (["loss", "val_loss", "val_loss_stability", "grad_norm", "learning_rate"], None),
    ],
)
def test_curves_find_the_metric(names, metric):
    assert Curves({name: (np.arange(1), np.ones(1)) for name in names}).default_metric == metric


def test_curves_refuse_to_guess_without_a_metric():
    with pytest.raises(
        ValueError, match=r"No metric of which more is better was logged in history, which has loss: .*`metric=`"
    ):
        read_history({"loss": [1.0]}).metric()


def model_with(*metrics):
    """As Keras has them: the loss, and what `compile` was given within one metric of its own."""
    compiled = SimpleNamespace(name="compile_metrics", metrics=[SimpleNamespace(**metric) for metric in metrics])
    return SimpleNamespace(metrics=[SimpleNamespace(name="loss"), compiled])


def history_of(model, **logs):
    return SimpleNamespace(history=logs, epoch=[0, 1], model=model)


def test_a_history_asks_its_model_for_the_metrics():
    model = model_with({"name": "sharpness"}, {"name": "blur", "_direction": "down"}, {"name": "not_logged"})
    logs = {"loss": [2.0, 1.0], "blur": [0.3, 0.2], "sharpness": [0.1, 0.2], "speed": [1.0, 1.0]}
    curves = read_history(history_of(model, **logs))
    assert curves.default_metric == "sharpness"
    assert [curves.direction(name) for name in ("blur", "sharpness", "speed")] == ["down", None, None]
    assert curves.log_keys.metrics == {"sharpness": None, "blur": "down"}


@pytest.mark.parametrize("model", [None, SimpleNamespace(), SimpleNamespace(metrics=[])])
def test_a_history_without_its_model_is_read_by_names(model):
    assert read_history(history_of(model, loss=[2.0, 1.0], sharpness=[0.1, 0.2])).default_metric is None


def test_a_picture_shows_an_error_where_there_is_nothing_better():
    assert read_history({"loss": [1.0], "val_mae": [2.0]}).default_panel == "mae"
    assert read_history({"loss": [1.0], "mae": [2.0], "iou": [0.5]}).default_panel == "iou"
    assert read_history({"loss": [1.0]}).default_panel is None


def test_curves_prefer_validation():
    curves = read_history({"loss": [1.0], "val_loss": [2.0], "jaccard": [0.5]})
    assert [curves.watched(name)[0] for name in ("loss", "jaccard")] == ["val_loss", "jaccard"]


def test_read_history_bears_a_hundred_thousand_epochs(tmp_path):
    losses = np.linspace(1, 0, 100_000)
    path = write(tmp_path / "log.csv", "epoch,loss\n" + "".join(f"{i},{v:.6f}\n" for i, v in enumerate(losses)))
    np.testing.assert_allclose(read_history(path)["loss"].values, losses, atol=1e-6)
