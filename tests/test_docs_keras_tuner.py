"""The page for KerasTuner: its scripts do what it says, also where a search is interrupted."""

import re

import pytest

from unetdyn import runs

keras_tuner = pytest.importorskip("keras_tuner")


@pytest.fixture
def blocks(repository, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "mkdtemp", lambda: str(tmp_path))
    return re.findall(r"```python\n(.*?)```", (repository / "docs/keras_tuner.md").read_text(), re.DOTALL)


@pytest.mark.filterwarnings("ignore")  # of KerasTuner's own
def test_each_trial_has_its_directory_and_each_fit(blocks, tmp_path, capsys):
    names = {}
    for block in blocks:
        exec(block, names)
    assert "True finished\n4 1\n" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["0", "1", "2"]
    for run in runs.list_runs(tmp_path / "runs"):
        assert (run.status, len(run.epochs)) == ("finished", 4)
        assert "stability" in run.monitors
    rates = [run.config["hyperparameters"]["rate"] for run in runs.list_runs(tmp_path / "fits")]
    assert [rates.count(rate) for rate in dict.fromkeys(rates)] == [2, 2]


@pytest.mark.filterwarnings("ignore")
def test_search_that_was_interrupted_carries_its_trial_on(blocks, tmp_path):
    import keras

    class Ends(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2 and len(list((tmp_path / "runs").iterdir())) == 2:
                raise KeyboardInterrupt

    names, first = {}, blocks[0].replace("def search():", "def search(callbacks=()):").split("\nbest = ")[0]
    exec(first.replace("epochs=4,", "epochs=4, callbacks=callbacks,"), names)
    with pytest.raises(KeyboardInterrupt):
        names["search"]([Ends()])
    assert len(runs.open(tmp_path / "runs/1").epochs) == 2
    names["search"]()
    found = [runs.open(tmp_path / "runs" / number) for number in "012"]
    assert [len(run.epochs) for run in found] == [4, 4, 4]
    assert [len(run.resumed) for run in found] == [0, 1, 0]


@pytest.mark.filterwarnings("ignore")
def test_recorder_that_is_given_to_search_is_copied(blocks, tmp_path):
    from unetdyn.callbacks import RunRecorder

    names = {}
    exec(blocks[0].split("\nclass Recorded")[0], names)
    tuner = keras_tuner.RandomSearch(
        names["build"], "val_loss", max_trials=2, executions_per_trial=2, seed=0, directory=tmp_path, project_name="t"
    )
    x = names["x"]
    recorder = RunRecorder(tmp_path / "runs/tuned", save_best="val_loss")
    tuner.search(x, x, validation_data=(x, x), epochs=1, verbose=0, callbacks=[recorder])
    epochs = {run.path.name: len(run.epochs) for run in runs.list_runs(tmp_path / "runs")}
    assert epochs == {"tuned": 0, "tuned-2": 1, "tuned-3": 1, "tuned-4": 1, "tuned-5": 1}
