"""What can't be carried on is refused in a sentence, and left as it is; tests/cli/test_resume.py carries on."""

import io
import json
import os
import platform

import pytest

from unetdyn import runs
from unetdyn.experiment import ConfigError, parse_config, resume_experiment, run_experiment
from unetdyn.experiment.monitors import offered
from unetdyn.experiment.resume import configuration_of
from unetdyn.runs.state_store import StateStore

pytestmark = pytest.mark.usefixtures("untraced")

COSINE = {"schedule": "cosine"}
TWO_STAGES = [{"name": "coarse", "epoch": 0, "setup": {}}, {"name": "fine", "epoch": 2, "setup": {}}]


@pytest.fixture
def plant(tmp_path):
    """A run of 5 planned epochs, ended after 3, and a state that has nothing but its place."""

    def planted(epochs=3, status="interrupted", config=None, state=None, stages=()):
        fit = {"fit": {"epochs": 5}} if "stages" not in (config or {}) else {}
        values = parse_config({"data": {"kind": "synthetic"}, **fit, **(config or {})}).model_dump(mode="json")
        writer = runs.RunWriter(tmp_path / "run", config=values)
        for epoch in range(epochs):
            writer.log_epoch(epoch, {"loss": 1.0})
        writer.declare(stages=stages)
        if status != "running":
            writer.finish(status)
        if state is not None:
            whole = {"epoch": epochs, "step": 0, "within": False, "stopped": False, "fit": 0} | state
            StateStore(writer.path / "state").write(whole)
        return writer.path

    return planted


def refusal(path, epochs=None):
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(ConfigError) as caught:
        resume_experiment(path, epochs, stream=io.StringIO())
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    return str(caught.value)


def test_run_that_was_killed_before_its_test_is_tested(tmp_path):
    split = {"train": [0, 1], "validation": [3, 3], "test": [5, 5]}
    data = {"kind": "synthetic", "sections": 6, "size": 64, "tile": 32, "split": split}
    model = {"architecture": "UNet", "filters": 2, "depth": 1}
    values = {"data": data, "model": model, "fit": {"epochs": 1}, "run_directory": str(tmp_path / "run")}
    whole = run_experiment(parse_config(values), stream=io.StringIO())
    tested = {name: value for name, value in whole.summary.items() if name.startswith("test_")}
    assert sorted(tested) == ["test_jaccard", "test_loss"]
    file = whole.path / "run.json"
    header = json.loads(file.read_text())
    for name in tested:  # as a kill between the end of the training and its test leaves it
        del header["summary"][name]
    file.write_text(json.dumps(header))
    found = resume_experiment(whole.path, stream=io.StringIO())
    assert found.summary == whole.summary
    assert (found.status, found.epochs, found.resumed) == ("finished", whole.epochs, [])


def test_resume_of_no_run_says_what_a_run_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="`path` must be a run directory"):
        resume_experiment(tmp_path, stream=io.StringIO())


def test_resume_of_a_run_that_still_runs_names_its_process(plant):
    path = plant(status="running", state={})
    text = (
        f"{path} is still running: process {os.getpid()} on {platform.node()} trains it. Wait for its end, or end it;"
    )
    assert refusal(path).startswith(text)


def test_resume_of_a_run_that_is_finished_returns_it(plant):
    shown = io.StringIO()
    path = plant(epochs=5, status="finished")
    for epochs in (None, 5, 2):
        assert resume_experiment(path, epochs, stream=shown).status == "finished"
    assert shown.getvalue().splitlines() == [f"Nothing is left to do: {path} is finished, with 5 epochs."] * 3


@pytest.mark.parametrize(
    ("epochs", "config", "why"),
    [
        (3, {}, "it was removed, or never kept"),
        (3, {"fit": {"epochs": 5, "keep_state": False}}, "`fit.keep_state` is false in its configuration"),
    ],
)
def test_resume_without_a_state_says_what_then(plant, epochs, config, why):
    path = plant(epochs, config=config)
    assert refusal(path) == (
        f"{path} has no state to carry on from: {why}. Train anew, with the configuration that is in its run.json "
        "under `config`."
    )


def test_resume_of_a_run_that_was_ended_before_its_first_state_begins_again(plant):
    """Its first epoch was recorded, and the state was still being written."""
    split = {"train": [0, 1], "validation": [3, 3]}
    config = {
        "data": {"kind": "synthetic", "sections": 6, "size": 64, "tile": 32, "split": split},
        "model": {"architecture": "UNet", "filters": 2, "depth": 1},
        "fit": {"epochs": 1},
        "callbacks": {declared.name: None for declared, section in offered() if not section.required},
    }
    path = plant(1, status="interrupted", config=config)
    (path / "state").mkdir()
    with pytest.warns(UserWarning, match="was killed before its first state was saved. It begins again"):
        run = resume_experiment(path, stream=io.StringIO())
    assert (run.status, len(run.epochs)) == ("finished", 1)
    assert "val_loss" in run.history


def test_resume_from_a_damaged_state_names_the_file(plant):
    path = plant(state={})
    file = path / "state/000001.json"
    file.write_bytes(file.read_bytes()[:-20])
    assert f"{file} is damaged" in refusal(path)


def test_train_into_a_run_that_can_be_carried_on_says_so(plant):
    path = plant(state={})
    config = parse_config({"data": {"kind": "synthetic"}, "model": {"filters": 2, "depth": 1}, "run_directory": path})
    with pytest.raises(ConfigError, match=f"which holds a run that has not finished: unetdyn resume {path} carries on"):
        run_experiment(config, io.StringIO())


def test_resume_of_a_run_without_a_configuration_says_to_start_the_script_again(tmp_path):
    path = runs.RunWriter(tmp_path / "run", config={"filters": 16}).path
    with pytest.raises(ConfigError, match=r"was not made by `unetdyn train`: .* Start the script again"):
        configuration_of(runs.open(path))


def test_resume_of_a_run_of_another_version_names_the_key(tmp_path):
    config = {"data": {"kind": "synthetic"}, "fit": {"epoch": 5}}
    path = runs.RunWriter(tmp_path / "run", config=config).path
    with pytest.raises(ConfigError, match=r"run\.json, config: in `fit`, unknown key 'epoch'"):
        configuration_of(runs.open(path))


@pytest.mark.parametrize(
    ("epochs", "words"),
    [(2, "`--epochs` must be at least 3: of the epochs of the whole training, {path} has 3. Received: 2.")],
)
def test_resume_to_fewer_epochs_than_there_are_is_refused(plant, epochs, words):
    path = plant(state={})
    assert refusal(path, epochs) == words.format(path=path)


def test_resume_to_epochs_before_the_last_stage_is_refused(plant):
    path = plant(1, config={"stages": [{"epochs": 2}, {"epochs": 3}]}, state={}, stages=TWO_STAGES[:1])
    assert refusal(path, 2) == (
        f"`--epochs` must be at least 3: of the epochs of the whole training, {path} has 1, and its last stage begins "
        "after 2. Received: 2."
    )


def test_resume_to_more_epochs_is_refused_where_the_rate_is_planned_over_them(plant):
    path = plant(state={}, config={"optimizer": COSINE})
    assert refusal(path, 9) == (
        f"The learning rate of {path} is a `cosine` over 5 epochs: in a longer training it would be another from the "
        "first step on. Train anew, with more epochs, or with a schedule that does not depend on their number."
    )


def test_resume_to_more_epochs_looks_at_the_rate_of_the_last_stage_only(plant):
    stages = [{"epochs": 2, "optimizer": COSINE}, {"epochs": 3}]
    path = plant(3, config={"stages": stages}, state={"fit": 1, "stopped": True}, stages=TWO_STAGES)
    assert refusal(path, 9) == (
        f"Early stopping ended {path} after epoch 3, and a longer training as well. Train anew, with more "
        "`callbacks.early_stopping.patience` or without it."
    )
