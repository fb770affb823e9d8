"""The frozen table: what was written is read, whatever it holds, and what is damaged is refused in a sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetdyn.sweeps.table import FILE, Row, SweepError, freeze, hash_of, open_sweep

LEVELS = (
    st.none()
    | st.booleans()
    | st.integers(-10, 10)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
ONE = Row(1, 1, 0, {"fit.batch_size": 8}, {"data.seed": 1}, "abc")


def frozen(path, rows):
    return freeze(path, "rates", "2026-11-27T09:00:00", {"unetdyn": "1"}, {"factors": {}}, {"fit": {}}, rows)


@given(levels=st.lists(LEVELS, min_size=1, max_size=5), seed=st.integers(0, 2**31))
def test_table_reads_what_was_frozen(tmp_path_factory, levels, seed):
    rows = [Row(n, n, seed, {"a.b": level}, {"c": [level]}, "x") for n, level in enumerate(levels, 1)]
    sweep = frozen(tmp_path_factory.mktemp("sweep"), rows)
    assert sweep.rows == tuple(rows)
    assert sweep == open_sweep(sweep.path)


def test_table_is_frozen_once(tmp_path):
    frozen(tmp_path, [ONE])
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(FileExistsError, match=r"must be new\. Received: .*which holds one"):
        frozen(tmp_path, [ONE])
    assert (tmp_path / FILE).read_bytes() == before


def test_table_is_one_line_a_row(tmp_path):
    frozen(tmp_path, [ONE, Row(2, 1, 1, {}, {}, "")])
    lines = (tmp_path / FILE).read_text().splitlines()
    assert sum(line.startswith('  {"number"') for line in lines) == 2


def test_factors_have_their_levels_once_and_in_order(tmp_path):
    rows = [Row(n, n, 0, {"b": level}, {"k": 1}, "") for n, level in enumerate([True, 1, 1.5, True], 1)]
    sweep = frozen(tmp_path, rows)
    assert [repr(level) for level in sweep.factors["b"]] == ["True", "1", "1.5"]
    assert sweep.block_factors == {"k": (1,)}


@pytest.mark.parametrize("number", [0, -1, 2])
def test_row_that_is_not_there_is_refused(tmp_path, number):
    with pytest.raises(SweepError, match=rf"from 1 to 1\. Received: {number}\."):
        frozen(tmp_path, [ONE]).row(number)


@pytest.mark.parametrize("rows", [[], [Row(2, 1, 0, {}, {}, "")], [ONE, ONE]])
def test_rows_that_are_not_numbered_are_refused(tmp_path, rows):
    with pytest.raises(SweepError, match="numbered from 1 without a gap"):
        frozen(tmp_path, rows)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.pop("rows"),
        lambda found: found.update(rows=[]),
        lambda found: found.update(rows=[1]),
        lambda found: found.update(rows=None),
        lambda found: found.update(base=[]) or found.update(base=1),
        lambda found: found["rows"][0].update(number="1"),
        lambda found: found["rows"][0].update(other=1),
        lambda found: found.pop("format"),
        lambda found: found.update(format="x"),
    ],
)
def test_damaged_table_is_refused(tmp_path, change):
    frozen(tmp_path, [ONE])
    found = json.loads((tmp_path / FILE).read_text())
    change(found)
    (tmp_path / FILE).write_text(json.dumps(found))
    with pytest.raises(SweepError, match="is damaged"):
        open_sweep(tmp_path)


def test_half_a_table_is_refused(tmp_path):
    frozen(tmp_path, [ONE])
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SweepError, match="is damaged"):
        open_sweep(tmp_path)


def test_newer_table_says_so(tmp_path):
    frozen(tmp_path, [ONE])
    found = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**found, "format": 99}))
    with pytest.raises(SweepError, match="newer version of unetdyn"):
        open_sweep(tmp_path)


def test_no_sweep_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"with sweep\.json in it.*which has none"):
        open_sweep(tmp_path)
    with pytest.raises(FileNotFoundError, match="which is not there"):
        open_sweep(tmp_path / "nowhere")


def test_labels_sort_as_the_rows_do(tmp_path):
    sweep = frozen(tmp_path, [Row(n, n, 0, {}, {}, "") for n in range(1, 10_002)])
    labels = [sweep.label(n) for n in (1, 999, 10_001)]
    assert labels == sorted(labels) == ["00001", "00999", "10001"]


def test_hash_is_that_of_what_json_holds():
    assert hash_of({"a": (1, 2)}) == hash_of({"a": [1, 2]})
    assert hash_of({"a": 1}) != hash_of({"a": 1.5})
