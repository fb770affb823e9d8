"""What `benchmarks/controls.py` makes of its trainings: paired differences with intervals, and what is said of them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from scripts_by_path import benchmarks_importable


@pytest.fixture(scope="module")
def controls():
    with benchmarks_importable():
        import controls as script
        from controls_cases import table, tiles
    return SimpleNamespace(script=script, table=table, tiles=tiles)


def rows(arm, sigma, last, best=None, epochs=40):
    """A row a seed."""
    return [
        {"data": "synthetic", "setup": "calm", "arm": arm, "seed": seed, "sigma": s, "best": b, "last": j}
        | {"epochs": epochs, "seconds": 1.0}
        for seed, (s, j, b) in enumerate(zip(sigma, last, best or last, strict=True))
    ]


PLAIN = rows("nothing", [0.04, 0.05, 0.06], [0.5, 0.6, 0.7])


def test_interval_is_that_of_a_paired_t_test(controls):
    a, b = np.array([0.5, 0.7, 0.6, 0.9]), np.array([0.4, 0.65, 0.62, 0.7])
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    found = controls.table.interval((a - b).tolist())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx(np.mean(a - b))


def test_each_control_is_compared_seed_by_seed(controls):
    """A seed without its pair does not count, in whatever order the rows come."""
    halved = rows("Halves", [0.02, 0.025, 0.03, 9.0], [0.6, 0.7, 0.8, 0.1])
    nothing, own = controls.table.compared([*reversed(halved), *PLAIN], "synthetic", "calm")
    assert (nothing.arm, own.arm, own.seeds) == ("nothing", "Halves", 3)
    assert np.exp(own.ratio) == pytest.approx([0.5, 0.5, 0.5])
    assert own.last_difference == pytest.approx([0.1, 0.1, 0.1])
    assert own.sigma == 0.025
    assert own.last == pytest.approx(0.7)


def test_sentences_say_what_helped_and_what_harmed(controls):
    helped = rows("Helps", [0.02, 0.025, 0.031], [0.6, 0.71, 0.8])
    harmed = rows("Harms", [0.04, 0.05, 0.06], [0.4, 0.51, 0.6], [0.5, 0.6, 0.7])
    noisy = rows("Wavers", [0.01, 0.1, 0.06], [0.4, 0.8, 0.7], epochs=20)
    idle = [row | {"arm": "Idles"} for row in PLAIN]
    said = controls.table.sentences([*PLAIN, *helped, *harmed, *noisy, *idle])
    assert said[0].startswith("- **Helps**: Helped: σ ×0.51 [")
    assert "Harmed" not in said[0]
    assert said[1].startswith("- **Harms**: Harmed: last Jaccard -0.097 [")
    assert "no difference to nothing is shown" in said[2]
    assert "It stopped after a mean of 20 (calm, synthetic) epochs." in said[2]
    assert said[3] == "- **Idles**: it did nothing in any of these trainings."


def test_each_control_is_compared_with_that_of_keras_too(controls):
    plateau = rows("ReduceLROnPlateau", [0.02, 0.025, 0.03], [0.5, 0.6, 0.7])
    ours = rows("Ours", [0.04, 0.05, 0.06], [0.6, 0.7, 0.8])
    found = controls.table.compared([*PLAIN, *ours, *plateau], "synthetic", "calm", "ReduceLROnPlateau")
    assert [each.arm for each in found] == ["ReduceLROnPlateau", "nothing", "Ours"]
    assert np.exp(found[2].ratio) == pytest.approx([2, 2, 2])
    said = controls.table.sentences([*PLAIN, *ours, *plateau], "ReduceLROnPlateau")
    assert len(said) == 1
    assert said[0].startswith("- **Ours**: Better: best Jaccard +0.100 [")
    assert "Worse: σ ×2.00 [2.00, 2.00] (calm, synthetic)." in said[0]


def test_a_net_that_has_died_has_no_quotient_of_sigma(controls):
    dead = rows("nothing", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    alive = rows("Revives", [0.1, 0.2, 0.1], [0.5, 0.6, 0.55])
    text = controls.table.tables([*dead, *alive])[0]
    assert "| Revives | 0.1000 | — | 0.550 | +0.550 [" in text
    assert "Helped: best Jaccard +0.550 [" in controls.table.sentences([*dead, *alive])[0]


def test_table_has_a_line_for_each_control(controls):
    text = controls.table.tables([*PLAIN, *rows("Helps", [0.02, 0.025, 0.031], [0.6, 0.71, 0.8])])[0]
    lines = text.splitlines()
    assert lines[0] == "**Calm, synthetic**"
    assert lines[4].startswith("| *nothing* | 0.0500 |  | 0.600 |")
    assert lines[5].startswith("| Helps | 0.0250 | ×0.51 [")


def test_a_line_that_was_cut_off_is_left_out(controls, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(PLAIN[0]) + "\n" + '{"data": "synth', encoding="utf-8")
    assert controls.script.read(path) == PLAIN[:1]
    assert controls.script.read(tmp_path / "none.jsonl") == []


def test_real_sections_are_left_out_with_a_reason(controls, monkeypatch, tmp_path):
    monkeypatch.setenv("UNETDYN_DATA", str(tmp_path))
    assert "set UNETDYN_DATA" in controls.tiles.tiles("vnc")
