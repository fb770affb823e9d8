"""The arithmetic of `benchmarks/several_cards.py` and `benchmarks/cpu_throughput.py`."""

from types import SimpleNamespace

import pytest

from scripts_by_path import benchmarks_importable


def test_efficiency_compares_blocks_of_one_round():
    with benchmarks_importable():
        import several_cards

    options = SimpleNamespace(batch=16)
    seconds = {"one": [1.0, 2.0, 4.0], "weak": [1.25, 2.5, 5.0], "weak_all": [1.3, 2.6, 5.2], "strong": [0.5, 1.0, 2.0]}
    assert several_cards.efficiency(seconds["one"], seconds["weak"], 1) == pytest.approx([0.8] * 3)
    lines = several_cards.table(seconds, options, 2).splitlines()
    assert lines[2].split() == ["weak", "32", "2500.00", "12.8", "0.800", "(0.800-0.800)"]
    assert lines[4].split() == ["strong", "16", "1000.00", "16.0", "1.000", "(1.000-1.000)"]
    assert "1.0400 (1.0400-1.0400)" in lines[5]


def test_ratios_are_those_to_the_peer_in_the_same_round():
    with benchmarks_importable():
        import cpu_throughput

    def blocks(*seconds):
        return [{"seconds": each, "cpu": 2 * each} for each in seconds]

    peer = {"blocks": {"train": blocks(2.0, 4.0), "predict": blocks(1.0, 1.0)}, "peak": 1e6}
    ours = {"blocks": {"train": blocks(1.0, 2.0), "predict": blocks(4.0, 4.0)}, "peak": 2e6}
    words = cpu_throughput.table({"peer": peer, "ours": ours}, steps=2).splitlines()[2].split()
    assert words[:3] == ["ours", "750.0", "2.00"]
    assert words[7:9] == ["2000.0", "0.25"]
    assert words[-1] == "2"
