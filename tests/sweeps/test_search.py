"""An adaptive search over planted curves: whatever happens to its workers, each trial is told once, by its runs."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from planted_search import SEARCH, Planted, curve, height, write
from unetdyn import runs
from unetdyn.runs import process

optuna = pytest.importorskip("optuna")

from unetdyn.experiment import ConfigError  # noqa: E402
from unetdyn.sweeps import search as searching  # noqa: E402
from unetdyn.sweeps import search_trials  # noqa: E402
from unetdyn.sweeps.search_space import read_search  # noqa: E402
from unetdyn.sweeps.search_study import described  # noqa: E402
from unetdyn.sweeps.table import SweepError  # noqa: E402


def search(path, train=None, **given):
    return searching.search(path, train=train or Planted(), stream=io.StringIO(), **given)


def states(study):
    return [trial.state.name for trial in study.trials]


class Killed(BaseException):
    """In place of a kill: nobody is told."""


def test_each_trial_is_a_run_and_its_value_is_the_best_of_the_run(tmp_path):
    study = search(write(tmp_path, SEARCH + "pruner: null\n"))
    assert states(study) == ["COMPLETE"] * 12
    for trial in study.trials:
        (number,) = trial.user_attrs["runs"]
        assert number == trial.number + 1
        run = runs.open(tmp_path / f"searches/search/runs/{number:04d}")
        assert run.config["optimizer"]["learning_rate"] == trial.params["optimizer.learning_rate"]
        assert run.config["fit"]["batch_size"] == trial.params["fit.batch_size"]
        assert trial.value == max(run.history["val_jaccard"])
    assert study.best_trial.number == np.argmax([trial.value for trial in study.trials])


def test_search_is_the_same_when_it_is_done_again_and_when_it_is_done_in_two_parts(tmp_path):
    made = []
    for name, parts in (("one", [12]), ("two", [5, 12])):
        (tmp_path / name).mkdir()
        path = write(tmp_path / name, SEARCH.replace("random", "tpe"))
        made.append([search(path, trials=trials) for trials in parts][-1])
    assert [trial.params for trial in made[0].trials] == [trial.params for trial in made[1].trials]
    assert len({trial.params["optimizer.learning_rate"] for trial in made[0].trials}) == 12
    assert states(made[0]) == states(made[1])


def test_pruned_trial_has_fewer_epochs_and_says_so_in_its_run(tmp_path):
    study = search(write(tmp_path))
    pruned = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert pruned
    for trial in pruned:
        run = runs.open(tmp_path / f"searches/search/runs/{trial.number + 1:04d}")
        assert len(run.epochs) == trial.last_step + 1 < 30
        assert run.events[-1]["kind"] == "pruned"
        assert height_of(run) < max(each.value for each in study.trials if each.state.name == "COMPLETE")


def height_of(run):
    from unetdyn.experiment import parse_config

    return height(parse_config(run.config)) * (1 - np.exp(-29 / 4))


def test_signal_puts_the_trial_back_and_the_next_worker_carries_its_run_on(tmp_path):
    def interrupt(trained, epoch):
        if trained == 3 and epoch == 20:
            raise Killed

    path, first, second = write(tmp_path, SEARCH + "pruner: null\n"), Planted(interrupt=interrupt), Planted()
    with pytest.raises(Killed):
        search(path, first)
    study = search(path, second)
    assert states(study).count("COMPLETE") == 12
    assert [number for number, state in enumerate(states(study)) if state == "FAIL"] == [2]
    again = study.trials[3]
    assert again.user_attrs["retry_of"] == 2
    assert again.user_attrs["runs"] == [3]
    assert again.params == study.trials[2].params
    assert second.resumed == ["0003"]
    assert len(list((tmp_path / "searches/search/runs").iterdir())) == 12


def test_killed_worker_is_found_and_its_trial_carried_on_until_three_have_died_of_it(tmp_path, monkeypatch):
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dead = process.identity() | {"pid": gone.pid, "started": process._started(gone.pid)}
    gone.communicate(b"\n")
    path = write(tmp_path, SEARCH + "pruner: null\n")

    def kill(trained, epoch):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(search_trials, "identity", lambda: dead)
        patch.setattr(searching, "hand_back", lambda *_, **__: None)
        for _ in range(3):
            with pytest.raises(Killed):
                search(path, Planted(interrupt=kill))
    study = search(path)
    assert states(study)[:3] == ["FAIL"] * 3
    assert [trial.user_attrs.get("deaths") for trial in study.trials[:4]] == [None, 1, 2, None]
    assert states(study).count("COMPLETE") == 11  # one was given up


def test_worker_of_another_host_is_dead_when_it_is_silent():
    trial = SimpleNamespace(
        user_attrs={"process": process.identity() | {"host": "elsewhere"}, "heartbeat": 1000.0}, datetime_start=None
    )
    assert not search_trials.is_dead(trial, 1000.0 + search_trials.SILENT)
    assert search_trials.is_dead(trial, 1001.0 + search_trials.SILENT)


def test_signs_of_life_go_on_as_long_as_the_work(tmp_path):
    import threading

    beats, three = [], threading.Event()

    class Trial:
        def set_user_attr(self, key, value):
            beats.append(key)
            if beats.count("heartbeat") == 3:
                three.set()
            if beats.count("heartbeat") == 2:
                raise OSError("a storage that is away for a moment")

    with search_trials.signs_of_life(Trial(), beat=0.001):
        assert three.wait(60)
    assert beats[:2] == ["process", "heartbeat"]
    assert threading.active_count() == 1 or not any("go_on" in each.name for each in threading.enumerate())


def test_only_so_many_trials_are_given_away_however_workers_race(tmp_path):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    first, second = (search_trials.ask(study, {}, 2) for _ in range(2))
    assert (first.number, second.number) == (0, 1)
    assert search_trials.ask(study, {}, 2) is None
    search_trials.hand_back(study, 0, died=False)
    assert search_trials.ask(study, {}, 2).number == 2

    real, fast = study.ask, []

    def ask(distributions):  # another worker is faster
        fast.append(real(distributions))
        return real(distributions)

    study.ask = ask
    assert search_trials.ask(study, {}, 3) is None
    assert fast[0].number == 3
    assert study.trials[4].user_attrs == {"surplus": True}
    study.ask = real
    assert search_trials.ask(study, {}, 3) is None
    assert search_trials.ask(study, {}, 4).number == 5


def test_trial_that_another_worker_has_taken_over_is_left_to_it(tmp_path):
    path = write(tmp_path, SEARCH.replace("trials: 12", "trials: 3"))
    planted = Planted()

    def interrupt(trained, epoch):
        if (trained, epoch) == (1, 5):
            study = searching.open_study(read_search(path), tmp_path / "searches/search")
            assert search_trials.hand_back(study, 0, died=True) == 1

    planted.interrupt = interrupt
    study = search(path, planted)
    assert states(study) == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert planted.resumed == ["0001"]


def test_failed_trial_says_why_and_the_search_goes_on_until_three_failed_in_a_row(tmp_path):
    def interrupt(trained, epoch):
        if trained in (2, 4, 5, 6):
            raise RuntimeError("no\nmemory")

    path = write(tmp_path)
    with pytest.raises(SweepError, match=r"3 trials failed in a row, the last one, 5: RuntimeError: no memory"):
        search(path, Planted(interrupt=interrupt))
    study = search(path)
    assert [number for number, state in enumerate(states(study)) if state == "FAIL"] == [1, 3, 4, 5]
    assert study.trials[1].user_attrs["error"] == "RuntimeError: no memory"
    assert len(study.trials) == 12


def test_seeds_are_replicates_whose_mean_counts(tmp_path):
    def scattered(config):
        return curve(config) + 0.01 * config.seed

    study = search(write(tmp_path, SEARCH.replace("trials: 12", "trials: 3") + "seeds: 3\n"), Planted(scattered))
    assert [trial.user_attrs["runs"] for trial in study.trials] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    for trial in study.trials:
        opened = [runs.open(tmp_path / f"searches/search/runs/{number:04d}") for number in trial.user_attrs["runs"]]
        assert [run.config["seed"] for run in opened] == [0, 1, 2]
        assert trial.value == pytest.approx(np.mean([max(run.history["val_jaccard"]) for run in opened]), abs=1e-12)


def test_no_further_seed_is_trained_where_the_first_was_ended_early(tmp_path):
    planted = Planted()
    study = search(write(tmp_path, SEARCH + "seeds: 2\n"), planted)
    expected = sum(1 if trial.state.name == "PRUNED" else 2 for trial in study.trials)
    assert "PRUNED" in states(study)
    assert len(planted.configs) == expected


def test_several_objectives_end_in_what_nothing_beats(tmp_path):
    path = write(tmp_path, SEARCH + "objectives: [performance, seconds]\n")
    study = search(path)
    values = np.array([trial.values for trial in study.trials]) * [-1, 1]
    beaten = [any((other <= own).all() and (other < own).any() for other in values) for own in values]
    front = {number for number, each in enumerate(beaten) if not each}
    assert {trial.number for trial in study.best_trials} == front
    assert 0 < len(front) < 12
    asked = read_search(path)
    assert f"on the Pareto front, {len(front)} of 12:" in described(asked, asked.directory, study)


def test_several_objectives_end_early_only_what_diverges(tmp_path):
    def diverging(config):
        values = curve(config)
        if config.fit.batch_size == 4:
            values[20:] = -40
        return values

    path = write(tmp_path, SEARCH + "objectives: [performance, stability]\n")
    study = search(path, Planted(diverging))
    late = study.trials[8:]  # by then five of batch 8 are finished, or nearly
    assert "PRUNED" in states(study)
    for trial in study.trials:
        if trial.state.name == "PRUNED":
            assert trial.params["fit.batch_size"] == 4
            assert len(runs.open(tmp_path / f"searches/search/runs/{trial.number + 1:04d}").epochs) == 25
    assert all(trial.state.name == "COMPLETE" for trial in late if trial.params["fit.batch_size"] == 8)


def test_search_whose_file_was_changed_is_refused_but_for_its_trials(tmp_path):
    path = write(tmp_path, SEARCH.replace("trials: 12", "trials: 2"))
    search(path)
    before = (tmp_path / "searches/search/search.json").read_bytes()
    path.write_text(SEARCH.replace("trials: 12", "trials: 3"))
    assert len(search(path).trials) == 3
    path.write_text(SEARCH.replace("[4, 8]", "[4, 8, 16]"))
    with pytest.raises(SweepError, match=r"began with another file: .*search\.yaml or its base.*was changed since"):
        search(path)
    path.write_text(SEARCH)
    (tmp_path / "base.yaml").write_text((tmp_path / "base.yaml").read_text() + "seed: 3\n")
    with pytest.raises(SweepError, match="was changed since"):
        search(path)
    assert (tmp_path / "searches/search/search.json").read_bytes() == before


def test_password_of_a_storage_is_not_written_down(tmp_path):
    path = write(tmp_path, SEARCH.replace("12", "1") + f"storage: 'sqlite:///{tmp_path}/secret.db'\n")
    search(path)
    said = json.loads((tmp_path / "searches/search/search.json").read_text())
    assert "storage" not in said["search"]
    assert "secret" not in json.dumps(said)
    assert (tmp_path / "secret.db").exists()


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        (SEARCH.replace("fit.batch_size", "fit.bach_size"), ConfigError, "unknown key 'bach_size'. Did you mean"),
        (SEARCH.replace("[4, 8]", "[4, -8]"), ConfigError, "batch_size.*greater than 0"),
        (SEARCH + "metric: dice\n", SweepError, r"`metric` must be measured: one of jaccard.*Received: metric='dice'"),
        (SEARCH.replace("base.yaml", "bass.yaml"), SweepError, "`base` must be a configuration's YAML file"),
    ],
)
def test_search_that_can_not_be_is_refused_before_anything_is_made(tmp_path, text, error, match):
    with pytest.raises(error, match=match):
        search(write(tmp_path, text))
    assert not (tmp_path / "searches").exists()


def test_stability_of_too_few_epochs_is_refused_before_anything_is_made(tmp_path):
    path = write(tmp_path, SEARCH + "objectives: [stability]\n")
    (tmp_path / "base.yaml").write_text((tmp_path / "base.yaml").read_text().replace("epochs: 30", "epochs: 9"))
    with pytest.raises(SweepError, match=r"needs 10 epochs.*Received: fit\.epochs=9"):
        search(path)
    assert not (tmp_path / "searches").exists()
