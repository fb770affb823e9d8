import types

import numpy as np
import pytest

import unetdyn.runs
from unetdyn.analysis import as_summaries, read_history, summarise


def history(jaccard, loss=None):
    return {"val_jaccard": jaccard} | ({} if loss is None else {"val_loss": loss})


def test_summary_against_numpy():
    rng = np.random.default_rng(0)
    loss, jaccard = rng.uniform(0.2, 0.4, 30), rng.uniform(0.5, 0.7, 30)
    found = summarise({"val_loss": loss, "val_jaccard": jaccard, "seconds": np.full(30, 1.5)})
    assert (found.performance, found.final, found.peak_epoch) == (jaccard.max(), jaccard[-1], int(jaccard.argmax()))
    assert found.stability == pytest.approx(np.std(loss[-10:], ddof=1))
    assert found.coefficient_of_variation == pytest.approx(np.std(loss[-10:], ddof=1) / np.mean(loss[-10:]))
    assert (found.epochs, found.seconds, found.watched, found.watched_loss) == (30, 45.0, "val_jaccard", "val_loss")
    assert found.notes == ()


def test_summary_of_a_training_without_validation_says_what_it_watched():
    found = summarise({"loss": [0.5, 0.4], "jaccard": [0.1, 0.2]}, window=2)
    assert (found.watched, found.watched_loss) == ("jaccard", "loss")
    assert "best jaccard" in str(found)


def test_summary_counts_the_validated_epochs_and_numbers_them_rightly():
    logs = types.SimpleNamespace(
        history={"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [3.0, 1.0], "val_jaccard": [0.5, 0.3]}, epoch=[0, 1, 2, 3]
    )
    found = summarise(read_history(logs, validation_freq=2), window=2)
    assert (found.epochs, found.peak_epoch) == (4, 1)
    assert found.stability == pytest.approx(np.sqrt(2))
    assert "0.5 at epoch 2, 0.3 at the end" in str(found)


def test_summary_passes_over_values_that_are_not_finite():
    nan, inf = float("nan"), float("inf")
    found = summarise(history([0.1, inf, 0.4, nan], [0.5, nan, 0.4, 0.3]), window=3)
    assert (found.performance, found.peak_epoch) == (0.4, 2)
    assert np.isnan(found.final)
    assert np.isnan(found.stability)
    assert "val_loss: σ not finite: 1 of the last 3 values" in found.notes[0]
    assert summarise(history([nan, nan])).notes[0] == "val_jaccard was never a number"


@pytest.mark.parametrize(
    ("logs", "note"),
    [
        (history([0.5], [0.3]), "val_loss: σ not defined: 1 of the 10 epochs that it needs"),
        (history([0.5]), "no loss was logged, so that there is no σ"),
        ({}, "no epoch was logged"),
    ],
)
def test_summary_says_what_a_short_run_lacks(logs, note):
    found = summarise(logs)
    assert found.notes == (note,)
    assert np.isnan(found.stability)
    assert note in str(found)


def test_summary_of_a_run_directory_takes_factors_time_and_size(tmp_path):
    config = {
        "name": "first",
        "seed": 3,
        "data": {"kind": "synthetic", "seed": 7, "split": {"train": [0, 5]}},
        "model": {"architecture": "UNet", "filters": 16, "norm_momentum": None},
        "optimizer": {"kind": "adam", "learning_rate": 1e-3},
        "fit": {"batch_size": 8, "jit_compile": True},
    }
    writer = unetdyn.runs.RunWriter(tmp_path / "run", config=config, seed=3)
    for epoch in range(3):
        writer.log_epoch(epoch, {"val_jaccard": 0.1 * epoch, "val_loss": 0.5, "seconds": 2.0})
    writer.finish("finished", {"parameters": 1000, "memory": 2**20})
    found = summarise(tmp_path / "run")
    assert found.factors == {
        "name": "first",
        "seed": 3,
        "data.kind": "synthetic",
        "data.seed": 7,
        "train": (0, 5),
        "architecture": "UNet",
        "filters": 16,
        "norm_momentum": None,
        "optimizer.kind": "adam",
        "learning_rate": 1e-3,
        "batch_size": 8,
        "jit_compile": True,
    }
    assert (found.name, found.seconds, found.parameters, found.memory) == ("run", 6.0, 1000, 2**20)
    for shown in ("architecture", "UNet", "1,000", "1 MiB", "learning rate"):
        assert shown in str(found)
    assert str(summarise(unetdyn.runs.open(tmp_path / "run"))) == str(summarise(str(tmp_path / "run"))) == str(found)
    assert found._repr_html_().startswith("<table>")


def test_summary_of_a_run_with_a_configuration_of_any_shape(tmp_path):
    writer = unetdyn.runs.RunWriter(tmp_path / "run", config={"a": {"b": {"lr": 0.1}}, "c": {"lr": 0.2}}, seed=5)
    writer.log_epoch(0, {"val_jaccard": 0.5})
    factors = summarise(tmp_path / "run", factors={"learning_rate": 0.1, "seed": 6}).factors
    assert factors == {"a.b.lr": 0.1, "c.lr": 0.2, "seed": 6, "learning_rate": 0.1}


def test_factors_keep_null_and_lists_of_any_depth_as_levels(tmp_path):
    config = {"clipnorm": None, "layers": [{"kernel": 3, "dilation": [1, 2]}, "head"], "seed": None}
    unetdyn.runs.RunWriter(tmp_path / "run", config=config)
    factors = {"shape": np.array([[1, 2], [3, 4]]), "crop": ["left", None]}
    found = summarise(tmp_path / "run", factors=factors)
    assert found.factors == {
        "clipnorm": None,
        "layers": ((("dilation", (1, 2)), ("kernel", 3)), "head"),
        "seed": None,
        "shape": ((1, 2), (3, 4)),
        "crop": ("left", None),
    }
    assert len({tuple(found.factors.items())}) == 1
    assert "seed" not in str(found)
    assert summarise(found, factors={"crop": ["right"]}).factors["crop"] == ("right",)


@pytest.mark.parametrize("source", [history([0.5]), summarise(history([0.5]))])
def test_summary_refuses_a_factor_that_runs_cannot_be_grouped_by(source):
    with pytest.raises(TypeError, match=r"`factors` must hold texts, .* Received: loss=\{3\}\. Give it as a text"):
        summarise(source, factors={"loss": {3}})


def test_summary_of_a_run_that_never_finished_an_epoch(tmp_path):
    unetdyn.runs.RunWriter(tmp_path / "run", config={"seed": 1})
    assert summarise(tmp_path / "run").notes == ("no epoch was logged",)


def test_summary_reads_a_csv_file(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,val_jaccard\n1,0.4\n0,0.6\n")
    found = summarise(path)
    assert (found.name, found.peak_epoch, found.final) == ("log.csv", 0, 0.4)


def test_a_summary_takes_more_factors():
    first = summarise(history([0.5]), "first", factors={"filters": 8})
    again = summarise(first, factors={"seed": 1}, parameters=10)
    assert (again.name, again.factors, again.parameters) == ("first", {"filters": 8, "seed": 1}, 10)
    assert first.factors == {"filters": 8}


@pytest.mark.parametrize("given", [{"metric": "nope"}, {"window": 3}, {"window": 10}])
def test_a_summary_can_not_be_read_again_for_another_metric_or_window(given):
    first = summarise(history([0.5]))
    with pytest.raises(ValueError, match=r"`metric` and `window` must be left out for a RunSummary.*Received: metric="):
        summarise(first, **given)
    assert as_summaries([first], **given) == [first]


def test_summary_refuses_a_metric_that_was_not_logged_or_falls():
    with pytest.raises(ValueError, match=r"'val_dice'|'dice' was not logged in history, which has val_jaccard"):
        summarise(history([0.5]), metric="dice")
    with pytest.raises(ValueError, match=r"`metric` must be one of which more is better.*Received: metric='val_loss'"):
        summarise(history([0.5], [0.1]), metric="val_loss")
    with pytest.raises(ValueError, match=r"No metric of which more is better was logged in history, which has loss"):
        summarise({"loss": [0.5]})
    with pytest.raises(ValueError, match=r"Received: metric='mae', which takes 'mae' of history"):
        summarise({"loss": [0.5], "val_mae": [0.5]}, metric="mae")
    with pytest.raises(ValueError, match=r"`window` must be .* Received: window=1"):
        summarise(history([0.5]), window=1)


def test_summary_of_a_hundred_thousand_epochs():
    values = np.random.default_rng(0).uniform(size=100_000)
    assert summarise(history(values, values)).epochs == 100_000
