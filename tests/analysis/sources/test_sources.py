"""Each form in which people have a history gives the same curves."""

import json

import numpy as np
import pandas as pd
import pytest

from event_file import event_file
from unetdyn.analysis import diagnose, read_history, summarise
from unetdyn.runs import RunWriter

LOSS, VAL_LOSS, DICE = [0.9, 0.7, 0.5, 0.4], [0.8, 0.75, 0.6, 0.55], [0.1, 0.3, 0.5, 0.6]
LOGS = {"loss": LOSS, "val_loss": VAL_LOSS, "val_dice": DICE}


def mlflow(folder, logs=LOGS, steps=True):
    run = folder / "mlruns/0/abc"
    for name, values in logs.items():
        file = run / "metrics" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"17000{i} {value} {i if steps else 0}\n" for i, value in enumerate(values)))
    (run / "meta.yaml").write_text("run_id: abc\n")
    return run


def tensorboard(folder):
    for name, logs in (("train", {"epoch_loss": LOSS}), ("validation", {"epoch_loss": VAL_LOSS, "epoch_dice": DICE})):
        (folder / "tb" / name).mkdir(parents=True)
        (folder / "tb" / name / "events.out.tfevents.1.host.v2").write_bytes(event_file(logs))
    return folder / "tb"


def lightning(folder):
    table = pd.DataFrame({"epoch": range(4), "train_loss_epoch": LOSS, "val_loss": VAL_LOSS, "val_dice": DICE})
    (folder / "version_0").mkdir()
    table.to_csv(folder / "version_0/metrics.csv", index=False)
    return folder / "version_0"


def text(folder, name, content):
    (folder / name).write_text(content)
    return folder / name


def rows():
    return [{"epoch": i, **{name: values[i] for name, values in LOGS.items()}} for i in range(4)]


def arrays(folder):
    np.savez(folder / "history.npz", **LOGS)
    return folder / "history.npz"


FORMS = {
    "mlflow": mlflow,
    "mlflow metrics": lambda folder: mlflow(folder) / "metrics",
    "mlflow without steps": lambda folder: mlflow(folder, steps=False),
    "tensorboard": tensorboard,
    "lightning": lightning,
    "json of lists": lambda folder: text(folder, "h.json", json.dumps(LOGS)),
    "json of a history": lambda folder: text(folder, "h.json", json.dumps({"history": LOGS, "epoch": [0, 1, 2, 3]})),
    "json of rows": lambda folder: text(folder, "h.json", json.dumps(rows())),
    "json of hugging face": lambda folder: text(folder, "h.json", json.dumps({"log_history": rows(), "max_steps": 4})),
    "json lines": lambda folder: text(folder, "h.jsonl", "".join(json.dumps(row) + "\n" for row in rows())),
    "json of pandas": lambda folder: text(folder, "h.json", pd.DataFrame(LOGS).to_json()),
    "split json of pandas": lambda folder: text(folder, "h.json", pd.DataFrame(LOGS).to_json(orient="split")),
    "npz": arrays,
    "list of dictionaries": lambda _: rows(),
    "data frame": lambda _: pd.DataFrame(LOGS),
    "data frame with its epochs as index": lambda _: pd.DataFrame(rows()).set_index("epoch"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_curves(tmp_path, form):
    source = FORMS[form](tmp_path)
    curves = read_history(source)
    for name, values in LOGS.items():
        assert curves[name].epochs.tolist() == [0, 1, 2, 3]
        np.testing.assert_allclose(curves[name].values, values, rtol=1e-6)  # TensorBoard has float32
    assert curves.default_metric == "dice"
    assert diagnose(source).level == diagnose(LOGS).level
    assert summarise(source).performance == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("values", "epochs"),
    [
        ([None, 0.5, None, 0.4], [1, 3]),  # validated every second epoch
        ([0.5, None, 0.4, None], [0, 2]),
        ([0.5, 0.4, None, None], [0, 1, 2, 3]),  # no number in the end
        ([None, None, 0.5, 0.4], [2, 3]),  # a key that came late
    ],
)
def test_data_frame_has_not_logged_between_numbers_and_no_number_at_the_end(values, epochs):
    assert read_history(pd.DataFrame({"loss": LOSS, "val_x": values}))["val_x"].epochs.tolist() == epochs


def test_loss_of_a_data_frame_that_never_was_a_number_is_there():
    nothing = [float("nan")] * 3
    curves = read_history(pd.DataFrame({"loss": nothing, "val_loss": nothing, "val_x": [0.1, 0.2, 0.3]}))
    assert list(curves) == ["loss", "val_x"]
    np.testing.assert_array_equal(curves["loss"].values, nothing)
    assert list(read_history(pd.DataFrame({"loss": [None] * 3, "val_x": [0.1, 0.2, 0.3]}))) == ["val_x"]


def test_data_frame_without_numbers_is_refused():
    with pytest.raises(ValueError, match=r"`history` must hold columns of numbers. Received: note"):
        read_history(pd.DataFrame({"note": ["a", "b"]}))
    with pytest.raises(ValueError, match=r"`history` must name each column once. Received: loss, loss"):
        read_history(pd.DataFrame([[1.0, 2.0]], columns=["loss", "loss"]))


def test_history_of_which_nothing_was_logged_is_diagnosed():
    assert len(read_history({"loss": [None, None], "val_loss": [0.5, 0.4]})["loss"].values) == 0
    assert [diagnose(logs).level for logs in ({"loss": [None]}, {"loss": []}, {})] == ["unknown"] * 3


def test_null_in_a_history_was_not_logged():
    assert read_history({"loss": LOSS, "val_loss": [None, 0.5, None, 0.4]})["val_loss"].epochs.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("h.json", b"{", r"h.json must be JSON. It is not: "),
        ("h.json", b"[" * 100_000, r"must be JSON. It is not: it is nested too deep"),
        ("h.json", b"5", r"must hold a dictionary of lists, .* Received: 5"),
        ("h.json", b"[5]", r"must be a dictionary of lists, .* Received: 5 among the rows"),
        ("h.json", b'[{"note": "a"}]', r"must hold numbers under names such as loss"),
        ("h.npz", b"", r"must hold one array of numbers .* a damaged file"),
        ("h.npz", b"PK\x03\x04 torn", r"must hold one array of numbers .* a damaged file"),
        ("h.pkl", b"\x80\x04", r"must be no pickled object, which can run any code .* as JSON"),
        ("events.out.tfevents.1", b"\x00" * 40, r"is damaged: a checksum at byte 0 is wrong"),
        ("events.out.tfevents.1", event_file({}), r"must hold scalars, as the callback TensorBoard writes"),
    ],
)
def test_file_that_cannot_be_read_is_refused_in_a_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_history(tmp_path / name)


def test_pickled_history_is_not_opened(tmp_path):
    np.save(tmp_path / "h.npy", LOGS)  # a dictionary, which NumPy can only pickle
    with pytest.raises(ValueError, match=r"Received: pickled objects, which can run any code"):
        read_history(tmp_path / "h.npy")


def test_event_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path):
    whole = event_file({"epoch_loss": LOSS})
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(whole[:-5])
    with pytest.warns(UserWarning, match="its last record was not written to its end"):
        assert read_history(path)["loss"].epochs.tolist() == [0, 1, 2]
    path.write_bytes(whole[:-20] + b"x" + whole[-19:])
    with pytest.raises(ValueError, match=r"is damaged: a checksum at byte \d+ is wrong"):
        read_history(path)


def test_event_files_of_several_trainings_are_told_apart(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name / "train").mkdir(parents=True)
        (tmp_path / name / "train/events.out.tfevents.1").write_bytes(event_file({"epoch_loss": LOSS}))
    with pytest.raises(ValueError, match=r"must hold one training. Received: 2, first, second; name the folder of one"):
        read_history(tmp_path)
    assert read_history(tmp_path / "first")["loss"].values.tolist() == pytest.approx(LOSS)


def test_event_files_are_those_that_keras_writes(tmp_path):
    """What its callback leaves, with the values that History has."""
    import keras

    keras.utils.set_random_seed(0)
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras' callback TensorBoard is TensorFlow's")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)
    x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    history = model.fit(x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=[board]).history
    curves = read_history(tmp_path)
    for name in ("loss", "val_loss", "mae", "val_mae"):
        np.testing.assert_allclose(curves[name].values, history[name], rtol=1e-6)


def test_mlflow_line_of_another_form_is_refused(tmp_path):
    run = mlflow(tmp_path)
    for line in ("nonsense", "1700 0.5 1e30", "1700 0.5 nan", "1700 half 1"):
        (run / "metrics/loss").write_text(f"1700 0.5 0\n{line}\n")
        with pytest.raises(ValueError, match=rf"must hold lines of timestamp, value and step, .* '{line}' in line 2"):
            read_history(run)


def test_run_directory_is_still_one(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.log_epoch(0, {"loss": 0.5})
    (writer.path / "metrics.csv").write_text("epoch,loss\n0,9\n")
    assert read_history(writer.path)["loss"].values.tolist() == [0.5]
    assert read_history(writer.path / "run.json")["loss"].values.tolist() == [0.5]


def test_fractions_of_epochs_are_of_the_epoch_that_has_begun(tmp_path):
    """As `trainer_state.json` of Hugging Face has them: losses every ten steps, a validation after each epoch."""
    losses = [{"epoch": step / 20, "step": step, "loss": 1 / step} for step in (10, 20, 30, 40)]
    evaluated = [{"epoch": step / 20, "step": step, "eval_loss": 2 / step, "eval_runtime": 9} for step in (20, 40)]
    state = {"log_history": sorted(losses + evaluated, key=lambda row: row["step"]), "global_step": 40}
    curves = read_history(text(tmp_path, "trainer_state.json", json.dumps(state)))
    np.testing.assert_allclose(curves["loss"].values, [(1 / 10 + 1 / 20) / 2, (1 / 30 + 1 / 40) / 2])
    assert curves["val_loss"].values.tolist() == [0.1, 0.05]
    assert curves.default_metric is None


def test_epochs_that_were_logged_as_a_metric_number_the_steps(tmp_path):
    """As Lightning does for TensorBoard and MLflow: `epoch` is logged beside each value, at the step of the batch."""
    steps = [49, 99, 149, 199]
    logs = {"epoch": [0, 0, 1, 1], "train_loss": [0.9, 0.7, 0.5, 0.3]}
    board = tmp_path / "version_0"
    board.mkdir()
    both = event_file(logs, steps) + event_file({"val_loss": [0.8, 0.6]}, [99, 199])
    (board / "events.out.tfevents.1").write_bytes(both)
    run = mlflow(tmp_path)
    for file in (run / "metrics").iterdir():
        file.unlink()
    for name, values in {**logs, "val_loss": [0.8, 0.6]}.items():
        at = steps if name in logs else [99, 199]
        (run / "metrics" / name).write_text("".join(f"1 {v} {s}\n" for s, v in zip(at, values, strict=True)))
    for source in (board, run):
        curves = read_history(source)
        np.testing.assert_allclose(curves["loss"].values, [0.8, 0.4], rtol=1e-6)
        np.testing.assert_allclose(curves["val_loss"].values, [0.8, 0.6], rtol=1e-6)


def test_second_training_in_one_folder_of_event_files_is_told_once(tmp_path):
    for place in (1, 2):
        (tmp_path / f"events.out.tfevents.{place}").write_bytes(event_file({"epoch_loss": LOSS, "epoch_dice": DICE}))
    with pytest.warns(UserWarning, match="holds 2 trainings") as told:
        assert read_history(tmp_path)["loss"].epochs.tolist() == [0, 1, 2, 3]
    assert len(told) == 1
