"""How symptoms and causes are weighed: planted rules of which it is known what they say, and two real runs."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from html_page import Page
from planted_runs import EPOCHS, batches, descent, healthy, jumping, planted, set_up
from unetdyn.analysis import Diagnosis, diagnose
from unetdyn.analysis.diagnosis import Evidence, verdict
from unetdyn.analysis.diagnosis.limit import Limit, Need
from unetdyn.analysis.diagnosis.verdict import judge
from unetdyn.runs import RunWriter

SICK = Limit("sick.one", "the outcome", watch="is odd", ill="is bad")
SICK_TOO = Limit("sick.two", "the outcome", watch="is odd", ill="is bad")
CAUSE = Limit("cause.first", "it", ill="is", advice="less.", explains=("sick.one",))
OTHER = Limit("cause.second", "it", ill="is", explains=("sick.",))
ERROR = Limit("error", "it", watch="is wrong", explains=("sick.one",), alone=True)
STABLE = verdict.stability.LIMIT


def rule(limit, level, confidence="", needs=()):
    """A rule that finds one thing in whatever it is shown; nothing where the level is None."""
    found = (
        limit.finding(level, limit.code, f"seen {limit.code}", f"its {limit.code}", confidence=confidence)
        if level
        else None
    )
    return SimpleNamespace(LIMITS=(limit,), NEEDS=needs, find=lambda evidence: iter([found] if found else []))


@pytest.fixture
def judged(monkeypatch):
    """The diagnosis that these symptoms and causes come to."""

    def judged(symptoms, causes, stable="good"):
        symptoms = (*symptoms, rule(STABLE, stable))
        monkeypatch.setattr(verdict, "SYMPTOMS", symptoms)
        monkeypatch.setattr(verdict, "CAUSES", tuple(causes))
        monkeypatch.setattr(verdict, "RULES", (*symptoms, *causes))
        monkeypatch.setattr(verdict, "_LIMITS", {each.LIMITS[0].code: each.LIMITS[0] for each in (*symptoms, *causes)})
        return judge(planted())

    return judged


def codes(findings):
    return [finding.code for finding in findings]


def test_cause_without_its_symptom_is_an_observation(judged):
    found = judged([rule(SICK, "good")], [rule(CAUSE, "ill", "high")])
    assert (found.level, found.headline) == ("good", ())
    assert codes(found.observations) == ["cause.first"]
    assert found.observations[0].explains == ()
    assert found.sentence == "Nothing that was looked at speaks against this training."


def test_cause_takes_the_place_of_its_symptom(judged):
    found = judged([rule(SICK, "ill")], [rule(CAUSE, "ill", "medium")])
    (first,) = found.headline
    assert (first.code, first.level, first.explains) == ("cause.first", "ill", ("sick.one",))
    assert first.matters == "Its sick.one."
    assert found.sentence == "Its cause.first. Its sick.one."
    assert "sick.one" in codes(found.findings)


@pytest.mark.parametrize(
    ("symptom", "cause", "level"), [("ill", "ill", "ill"), ("watch", "ill", "watch"), ("ill", "watch", "watch")]
)
def test_cause_is_no_worse_than_what_it_did_nor_than_itself(judged, symptom, cause, level):
    """And the run is as bad as its outcome, however little its cause is."""
    found = judged([rule(SICK, symptom)], [rule(CAUSE, cause, "low")])
    assert (found.level, found.headline[0].level) == (symptom, level)


def test_symptom_that_nothing_explains_stays(judged):
    found = judged([rule(SICK, "watch"), rule(SICK_TOO, "ill")], [rule(CAUSE, "ill", "high")])
    assert codes(found.headline) == ["cause.first", "sick.two"]
    assert found.level == "ill"
    assert found.sentence == "Its cause.first. Its sick.one. Its sick.two."


def test_of_two_causes_the_surer_stays_and_names_the_other(judged):
    found = judged([rule(SICK, "ill")], [rule(CAUSE, "ill", "low"), rule(OTHER, "ill", "high")])
    assert codes(found.headline) == ["cause.second"]
    assert found.headline[0].others == ("cause.first",)
    assert codes(found.observations) == ["cause.first"]
    assert found.sentence == "Its cause.second. Its sick.one. It may also be that its cause.first."


def test_two_of_the_causes_that_were_outdone_are_named(judged):
    others = [Limit(f"other.{place}", "it", ill="is", explains=("sick.one",)) for place in range(3)]
    causes = [rule(limit, "ill", sure) for limit, sure in zip(others, ("low", "medium", "low"), strict=True)]
    found = judged([rule(SICK, "ill")], [rule(CAUSE, "ill", "high"), *causes])
    assert found.headline[0].others == ("other.1", "other.0", "other.2")
    assert found.sentence.endswith("It may also be that its other.1 or its other.0.")


def test_causes_that_are_as_sure_stand_beside_each_other_in_the_order_of_the_rules(judged):
    found = judged([rule(SICK, "ill")], [rule(CAUSE, "ill", "medium"), rule(OTHER, "ill", "medium")])
    assert codes(found.headline) == ["cause.first", "cause.second"]
    assert all(not finding.others for finding in found.headline)
    assert found.sentence == "Its cause.first. Beside that, its cause.second. Its sick.one."


def test_what_two_causes_have_both_done_is_said_once(judged):
    found = judged([rule(SICK, "ill"), rule(SICK_TOO, "ill")], [rule(CAUSE, "ill", "high"), rule(OTHER, "ill", "high")])
    assert found.sentence == "Its cause.first. Beside that, its cause.second. Its sick.one; its sick.two."


def test_less_sure_cause_stays_for_what_it_alone_explains(judged):
    found = judged([rule(SICK, "ill"), rule(SICK_TOO, "ill")], [rule(CAUSE, "ill", "high"), rule(OTHER, "ill", "low")])
    assert codes(found.headline) == ["cause.first", "cause.second"]


@pytest.mark.parametrize("well", [True, False])
def test_error_stands_alone_and_is_never_outdone(judged, well):
    symptom = rule(SICK, "good" if well else "ill")
    found = judged([symptom], [rule(ERROR, "watch", "low"), rule(CAUSE, "ill", "high")])
    assert "error" in codes(found.headline)
    assert found.level == ("watch" if well else "ill")


def test_worst_comes_first_then_the_surest(judged):
    sick = [rule(SICK, "watch"), rule(SICK_TOO, "ill")]
    found = judged(sick, [rule(CAUSE, "ill", "high"), rule(OTHER, "ill", "high"), rule(ERROR, "watch", "high")])
    assert codes(found.headline) == ["cause.second", "cause.first", "error"]


@pytest.mark.parametrize(("stable", "level"), [("unknown", "unknown"), ("good", "good")])
def test_nothing_found_is_good_only_where_the_end_can_be_judged(judged, stable, level):
    assert judged([rule(SICK, "good")], [], stable).level == level
    assert judged([rule(SICK, "ill")], [], stable).level == "ill"


def test_rules_that_lack_something_say_who_supplies_it(judged):
    needs = (Need(("mean",), "MeanMonitor"), Need(setup="loss"))
    found = judged([], [rule(CAUSE, None, needs=needs), rule(OTHER, "good", needs=needs)])
    assert [(each.codes, each.lacks, each.supplied_by) for each in found.not_applied] == [
        (("cause.first",), "the record of mean", "MeanMonitor"),
        (("cause.first",), "the set-up's loss", "RunRecorder"),
    ]
    assert found.lacking == {"MeanMonitor": ("cause.first",), "RunRecorder": ("cause.first",)}


@pytest.fixture
def full(judged):
    """A diagnosis that has something of everything."""
    limit = Limit("odd.one", "it", watch="<b>is</b>", advice="a & b", explains=("sick.one",))
    lacking = rule(Limit("missing"), None, needs=(Need(("x",), "XMonitor"),))
    return judged([rule(SICK, "ill")], [rule(limit, "watch", "high"), rule(CAUSE, "ill", "low"), lacking])


def test_diagnosis_is_strict_json(full):
    text = json.dumps(full.to_dict(), allow_nan=False)
    found = json.loads(text)
    assert found["level"] == full.level
    assert [each["code"] for each in found["headline"]] == ["odd.one"]
    assert found["headline"][0]["others"] == ["cause.first"]
    assert found["not_applied"] == [{"codes": ["missing"], "lacks": "the record of x", "supplied_by": "XMonitor"}]


def test_diagnosis_as_text_has_every_part_in_lines_of_a_terminal(full):
    lines = str(full).splitlines()
    assert lines[0].startswith(f"{full.symbol} {full.word}. Its odd.one")
    assert max(map(len, lines)) <= verdict.WIDTH
    text = str(full)
    for part in (*(word for pair in full.headline[0].parts for word in pair), "cause.first", "XMonitor: missing"):
        assert part in " ".join(text.split())


def test_diagnosis_as_html_is_well_formed_and_escapes(full):
    page = Page(full._repr_html_())
    assert page.faults == []
    assert page.texts("summary") == ["Seen, and did no harm (1)", "Not looked at (1)"]
    assert page.texts("b") == ["✕ Ill.", "! odd.one (odd.one)"]
    assert "watch: it <b>is</b> (rule of thumb)" in page.texts("td")


def rows(found):
    return {row.name: row for row in found.rows}


def test_healthy_training_is_called_healthy():
    found = diagnose(healthy())
    assert (found.word, found.symbol, found.headline) == ("Healthy", "✓", ())
    assert {finding.level for finding in found.findings} <= {"good", "unknown", "info"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"val_jaccard": jumping(0.5)}, "metric.jumps"),
        ({"val_jaccard": np.zeros(EPOCHS)}, "metric.nothing"),
        ({"loss": np.r_[healthy()["loss"][:-5], [1e6] * 5]}, "loss.rose"),
        ({"loss": np.r_[healthy()["loss"][:-1], np.nan]}, "loss.nonfinite"),
    ],
)
def test_training_is_as_ill_as_its_outcome(change, code):
    found = diagnose(healthy(**change))
    assert found.level == "ill"
    told = {finding.code for finding in found.headline} | {one for each in found.headline for one in each.explains}
    assert code in told


def test_training_that_is_carried_on_may_stand_still():
    """Keras' History knows that its first epoch is the thirty-first."""
    noise = np.random.default_rng(0).normal(0, 0.002, (4, 30))
    values = noise + np.array([[0.1], [0.13], [0.42], [0.4]])
    logs = dict(zip(("loss", "val_loss", "jaccard", "val_jaccard"), values.tolist(), strict=True))
    history = SimpleNamespace(history=logs, epoch=list(range(30, 60)), params={"epochs": 60})
    assert diagnose(history).word == "Healthy"
    assert diagnose(logs).word == "Ill"


def test_several_findings_on_one_thing_are_one_row():
    found = diagnose(healthy())
    assert len(found.rows) < len(found.findings)
    assert rows(found)["loss"].seen.count("at the end") == 2


@pytest.mark.parametrize(("epochs", "word"), [(9, "Too little to tell"), (12, "Healthy")])
def test_training_too_short_for_its_stability_is_not_called_healthy(epochs, word):
    left = np.exp(-np.arange(epochs) / 1.5)
    found = diagnose({"loss": 0.5 + 0.4 * left, "val_jaccard": 0.8 - 0.7 * left})
    assert found.word == word


def test_training_without_a_loss_is_not_called_healthy():
    found = diagnose({"val_jaccard": healthy()["val_jaccard"]})
    assert found.word == "Too little to tell"
    assert found.sentence == "Nothing speaks against it yet; no loss was logged."


@pytest.mark.parametrize("epochs", [10, 12, 15, 20, 40])
@pytest.mark.parametrize("tau", [1, 2, 4, 8, 16])
def test_smooth_descent_is_never_ill_however_short(tau, epochs):
    assert diagnose(descent(tau, epochs)).level != "ill"


def test_validation_in_every_fourth_epoch_is_no_illness(tmp_path):
    logs, writer = descent(8, EPOCHS), RunWriter(tmp_path / "run")
    for epoch in range(EPOCHS):
        kept = [name for name in logs if epoch % 4 == 3 or name == "loss"]
        writer.log_epoch(epoch, {name: float(logs[name][epoch]) for name in kept})
    writer.finish("finished")
    assert diagnose(writer.path).level in ("unknown", "good")


@pytest.mark.parametrize("error", ["mae", "mse", "rmse", "hausdorff", "perplexity"])
def test_an_error_is_no_metric_that_should_rise(error):
    """A training that logs none but an error is judged by its losses; asked for by name, its lowest is the best."""
    losses_only = {name: healthy()[name] for name in ("loss", "val_loss")}
    logs = {**losses_only, error: losses_only["loss"], f"val_{error}": losses_only["loss"]}
    evidence = Evidence.read(logs)
    assert (evidence.metric, diagnose(evidence).word) == (None, "Healthy")
    assert diagnose(logs, error).word == "Healthy"


def test_damaged_record_leaves_a_diagnosis(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.save_arrays("gradient", step=np.arange(EPOCHS), grad_norm=np.ones(EPOCHS))
    for epoch in range(EPOCHS):
        logs = {name: float(values[epoch]) for name, values in healthy().items()}
        writer.log_epoch(epoch, logs | {"grad_exploding": 0.0})
    writer.finish("finished")
    (tmp_path / "run/dynamics/gradient.npz").write_bytes(b"PK damaged")
    with pytest.warns(UserWarning, match="What 'gradient' recorded is left out"):
        assert diagnose(writer.path).word == "Healthy"


def test_broken_run_is_ill_of_its_statistics_first_and_its_learning_rate(shared_runs):
    found = diagnose(shared_runs / "broken-UNet")
    assert found.level == "ill"
    assert found.headline[0].code == "statistics.lag"
    assert "learning_rate.high" in codes(found.headline)


def test_error_of_the_data_is_named_before_one_of_the_loss():
    setup = set_up(loss={"name": "binary_crossentropy", "config": {"from_logits": True}})
    records = {"batch": batches(target_max=255.0, val_target_max=255.0)}
    found = diagnose(planted(records, setup=setup, loss=np.linspace(-1, -90, EPOCHS)))
    assert (found.level, found.headline[0].code) == ("ill", "labels.scale")
    assert "loss.wrong" in codes(found.headline)


def test_honest_run_is_well(shared_runs):
    found = diagnose(shared_runs / "honest-AttentionResUNet")
    assert isinstance(found, Diagnosis)
    assert (found.level, found.headline) == ("good", ())


SLIGHT = Limit("slight", slight=True)
SURE = Limit("cause.sure", "it", ill="is", explains=("slight",))


@pytest.mark.parametrize(
    ("symptom", "limit", "confidence", "level"),
    [
        ("info", SLIGHT, "high", "watch"),
        ("info", SLIGHT, "medium", "info"),
        ("good", SLIGHT, "high", "info"),
        ("info", Limit("slight"), "high", "info"),
    ],
)
def test_slight_symptom_counts_only_where_a_cause_is_certain(judged, symptom, limit, confidence, level):
    """And no more than "watch" comes of it."""
    symptoms = [rule(limit, symptom)] if symptom == "info" else []
    found = judged(symptoms, [rule(SURE, "ill", confidence)])
    assert next(finding for finding in found.findings if finding.code == "cause.sure").level == level
    assert found.level == ("watch" if level == "watch" else "good")
