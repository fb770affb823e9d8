"""The evaluation that a run directory holds."""

import json

import numpy as np
import pytest

from evaluated import planted_evaluation
from unetdyn import runs
from unetdyn.evaluation import RunEvaluation, evaluation_of, read_run_evaluation, write_run_evaluation


@pytest.fixture
def run(tmp_path):
    writer = runs.RunWriter(tmp_path / "run")
    write_run_evaluation(planted_evaluation(missed="inf"), writer.path / "evaluation.json")
    return writer.path


def test_a_run_that_was_not_evaluated_has_none(tmp_path):
    run = runs.open(runs.RunWriter(tmp_path / "run").path)
    assert run.evaluation is None
    assert evaluation_of(run) is None


def test_evaluation_comes_back_as_it_was(run):
    before, found = planted_evaluation(), evaluation_of(runs.open(run))
    assert found.to_dict()["settings"] == before.to_dict()["settings"] | {"tile": [16, 16]}
    assert found.found.whole == before.found.whole
    assert found.found.table() == before.found.table()
    assert (found.of, found.threshold_from, found.made) == (before.of, before.threshold_from, before.made)
    assert found.validation.thresholds.best_threshold == before.validation.thresholds.best_threshold
    np.testing.assert_array_equal(found.pictures.level, before.pictures.level)
    assert str(found) == str(before)
    assert found.threshold_in_words == "0.3, chosen on validation"


def test_evaluation_is_read_from_wherever_it_lies(run, tmp_path):
    elsewhere = tmp_path / "scores.json"
    for suffix in (".json", ".npz"):
        (run / "evaluation").with_suffix(suffix).rename(elsewhere.with_suffix(suffix))
    found = read_run_evaluation(elsewhere)
    assert str(found) == str(planted_evaluation())
    assert found.pictures.name == planted_evaluation().pictures.name
    elsewhere.with_suffix(".npz").unlink()
    assert read_run_evaluation(elsewhere).pictures is None


def test_file_must_end_in_json(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.json\. Received: .*scores\.npz"):
        write_run_evaluation(planted_evaluation(), tmp_path / "scores.npz")
    assert not list(tmp_path.iterdir())


def test_unknown_origin_of_a_threshold_is_refused():
    with pytest.raises(ValueError, match=r"`threshold_from` must be one of .*Did you mean 'validation'"):
        RunEvaluation("test", planted_evaluation().found, threshold_from="validated")


def test_file_is_strict_json(run):
    def refuse(text):
        pytest.fail(text)

    record = json.loads((run / "evaluation.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert record["of"] == "test"


def test_pictures_of_another_evaluation_do_not_stay(run):
    other = planted_evaluation()
    write_run_evaluation(type(other)(**{**vars(other), "pictures": None}), run / "evaluation.json")
    assert evaluation_of(runs.open(run)).pictures is None
    assert not (run / "evaluation.npz").exists()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", 2, "it has format 2, and this unetdyn reads 1"),
        ("of", 5, "`of` must be a text"),
        ("found", None, "`found` must be an object"),
        ("found", {}, "`record` must be what `Evaluation.to_dict` gave"),
        ("validation", 5, "an evaluation must be an object"),
        ("threshold_from", "test", "`threshold_from` must be one of 'validation', 'given', 'default'"),
    ],
)
def test_damaged_record_is_refused(run, key, value, words):
    file = run / "evaluation.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {key: value}), encoding="utf-8")
    with pytest.raises(runs.RunError, match=rf"evaluation\.json is damaged: .*{words}"):
        evaluation_of(runs.open(run))


def test_damaged_files_are_refused(run):
    (run / "evaluation.npz").write_bytes(b"PK")
    with pytest.raises(runs.RunError, match=r"evaluation\.npz is damaged"):
        evaluation_of(runs.open(run))
    (run / "evaluation.json").write_text("[5]", encoding="utf-8")
    with pytest.raises(runs.RunError, match="must hold a JSON object"):
        _ = runs.open(run).evaluation
    (run / "evaluation.json").unlink()
    (run.parent / "secret.json").write_text("{}", encoding="utf-8")
    (run / "evaluation.json").symlink_to(run.parent / "secret.json")
    with pytest.raises(runs.RunError, match="must lie in its run directory"):
        _ = runs.open(run).evaluation
