"""A record in files of its rows: what is read at any moment, how many files there are, and what is damaged."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from unetdyn import runs
from unetdyn.runs import RunError, RunWriter
from unetdyn.runs.segments import Segments, first_rows, joined, rows_of


def rows(first, end, **blocks):
    """Rows that say their own number."""
    number = np.arange(first, end)
    return {"step": number, "ratio": {name: number * factor for name, factor in blocks.items()}, "limit": np.array(end)}


@pytest.fixture
def segments(tmp_path):
    return Segments(tmp_path, "gradient")


def names(segments):
    return sorted(file.name for file in segments._folder.iterdir())


@pytest.mark.parametrize("sizes", [[1] * 40, [3] * 17, [5, 1, 1, 1, 20, 1, 1], [100, 1, 2]])
def test_record_is_whole_after_each_epoch_in_few_files(segments, tmp_path, sizes):
    end = 0
    for size in sizes:
        segments.append(end, rows(end, end + size, enc1=0.5))
        end += size
        read = segments.read()
        assert read["step"].tolist() == list(range(end))
        assert read["ratio"]["enc1"].tolist() == [0.5 * number for number in range(end)]
        assert read["limit"] == end
        assert len(list((tmp_path / "gradient").iterdir())) <= math.log2(end) + 1
    segments.compact()
    assert [path.name for path in tmp_path.iterdir()] == ["gradient.npz"]
    assert segments.read()["step"].tolist() == list(range(end))


def test_each_row_is_written_as_often_as_a_counter_carries(segments, monkeypatch):
    """Of 2^k rows, one at a time: k + 1 times."""
    written, write = [], Segments._write
    monkeypatch.setattr(
        Segments, "_write", lambda self, *given: (written.append(rows_of(given[1])), write(self, *given))
    )
    for number in range(64):
        segments.append(number, rows(number, number + 1))
    assert sum(written) <= 64 * 7
    assert max(written) == 64


def test_block_that_comes_later_has_nan_before(segments):
    """As `StepRecord` joins its epochs."""
    for first, blocks in ((0, {}), (4, {"head": 1.0}), (6, {"enc1": 1.0, "head": 1.0}), (7, {"enc1": 1.0})):
        segments.append(first, rows(first, first + {0: 4, 4: 2, 6: 1, 7: 1}[first], **blocks))
    nan = np.nan
    np.testing.assert_array_equal(segments.read()["ratio"]["head"], [nan] * 4 + [4, 5, 6, nan])
    np.testing.assert_array_equal(segments.read()["ratio"]["enc1"], [nan] * 6 + [6, 7])
    segments.cut_back(5)
    np.testing.assert_array_equal(segments.read()["ratio"]["head"], [nan] * 4 + [4])


class Killed(BaseException):
    pass


def moments(tmp_path, act, monkeypatch):
    """What a reader sees after a kill behind each change of the folder."""
    number, finished = 0, False
    while not finished:
        folder = tmp_path / f"killed{number}"
        shutil.copytree(tmp_path / "before", folder)
        left = [number]

        def change(real, left=left):
            def changed(*given, **more):
                if not left[0]:
                    raise Killed
                left[0] -= 1
                return real(*given, **more)

            return changed

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", change(Path.replace))
            patch.setattr(Path, "unlink", change(Path.unlink))
            try:
                act(Segments(folder, "gradient"))
                finished = True
            except Killed:
                pass
        yield Segments(folder, "gradient")
        number += 1


@pytest.mark.parametrize("compacted", [0, 5])
def test_kill_at_any_moment_of_appending_leaves_the_rows_before_or_after(tmp_path, monkeypatch, compacted):
    before = Segments(tmp_path / "before", "gradient")
    (tmp_path / "before").mkdir()
    for number in range(7):
        before.append(number, rows(number, number + 1))
        if number + 1 == compacted:
            before.compact()
    seen = []
    for found in moments(tmp_path, lambda each: each.append(7, rows(7, 8)), monkeypatch):
        seen.append(len(found.read()["step"]))
        assert found.read()["step"].tolist() == list(range(seen[-1]))
        found.append(seen[-1], rows(seen[-1], 10))
        assert found.read()["step"].tolist() == list(range(10))
    assert (seen[0], seen[-1], set(seen)) == (7, 8, {7, 8})


@pytest.mark.parametrize("act", ["compact", "cut_back"])
@pytest.mark.parametrize("compacted", [0, 5])
def test_kill_at_any_moment_of_compacting_or_cutting_loses_no_row_that_stays(tmp_path, monkeypatch, compacted, act):
    before = Segments(tmp_path / "before", "gradient")
    (tmp_path / "before").mkdir()
    for number in range(7):
        before.append(number, rows(number, number + 1))
        if number + 1 == compacted:
            before.compact()
    for kept in (7,) if act == "compact" else (0, 3, 4, 6):
        shutil.rmtree(tmp_path / "killed0", ignore_errors=True)
        for found in moments(
            tmp_path, (lambda e: e.compact()) if act == "compact" else (lambda e, k=kept: e.cut_back(k)), monkeypatch
        ):
            read = (
                found.read()["step"].tolist()
                if kept or (found._whole.is_file() or any(found._folder.glob("*.npz")))
                else []
            )
            assert read == list(range(len(read)))
            assert len(read) >= kept
            found.cut_back(kept)
            assert (found.read()["step"].tolist() if kept else []) == list(range(kept))
            shutil.rmtree(found._folder.parent)


def test_rows_that_are_written_again_take_the_place_of_the_others(segments):
    for first in (0, 3, 6):
        segments.append(first, rows(first, first + 3))
    segments.append(4, {**rows(4, 5), "step": np.array([40])})
    assert segments.read()["step"].tolist() == [0, 1, 2, 3, 40]


def test_missing_rows_are_told(segments, tmp_path):
    segments.append(0, rows(0, 3))
    with pytest.raises(RunError, match=r"gradient must have 5 rows of the record. It has 3"):
        segments.append(5, rows(5, 6))
    segments.append(3, rows(3, 4))
    (tmp_path / "gradient/000000000000-000000000003.npz").unlink()
    with pytest.raises(RunError, match=r"don't follow each other at row 0"):
        segments.read()


def test_damaged_file_is_named_and_costs_only_its_rows(segments, tmp_path):
    segments.append(0, rows(0, 4))
    segments.append(4, rows(4, 6))
    file = tmp_path / "gradient/000000000004-000000000006.npz"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(RunError, match=r"000000000004-000000000006.npz is damaged"):
        segments.read()
    segments.append(6, rows(6, 9))
    assert names(segments)[-1] == "000000000006-000000000009.npz"
    np.savez(file, step=np.arange(3))
    with pytest.raises(RunError, match=r"000000000004-000000000006.npz is damaged: it has 3 rows"):
        segments.read()
    np.savez(file, other=np.arange(2))
    with pytest.raises(RunError, match=r"gradient is damaged: its parts hold different arrays"):
        segments.read()


def test_arrays_of_different_length_are_refused(segments):
    with pytest.raises(ValueError, match=r"must be of one length. Received: \{'step': 2, 'ratio/enc1': 3\}"):
        segments.append(0, {"step": np.arange(2), "ratio": {"enc1": np.arange(3)}})


def test_first_rows_and_joined_are_inverse():
    whole = rows(0, 6, enc1=2.0)
    parts = [
        first_rows(whole, 4),
        {"step": whole["step"][4:], "ratio": {"enc1": np.arange(4, 6) * 2.0}, "limit": np.array(6)},
    ]
    assert str(joined(parts)) == str(whole)


def test_run_shows_one_record_whether_compacted_or_not(tmp_path):
    writer = RunWriter(tmp_path)
    writer.save_arrays("stability", loss=[0.5])
    for epoch in range(3):
        writer.append_arrays("gradient", 2 * epoch, step=[2 * epoch, 2 * epoch + 1], norm={"enc1": [0.5, 0.25]})
    for _ in range(2):
        run = runs.open(tmp_path)
        assert run.array_names == ["gradient", "stability"]
        assert run.arrays("gradient")["step"].tolist() == list(range(6))
        assert run.arrays("gradient")["norm"]["enc1"].tolist() == [0.5, 0.25] * 3
        writer.compact_arrays()
    assert sorted(file.name for file in (tmp_path / "dynamics").iterdir()) == ["gradient.npz", "stability.npz"]
    writer.append_arrays("gradient", 6, step=[6], norm={"enc1": [0.5]})
    writer.cut_back_arrays({"gradient": 5})
    assert runs.open(tmp_path).arrays("gradient")["step"].tolist() == list(range(5))


def test_link_out_of_the_run_is_refused(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.append_arrays("gradient", 0, step=[0])
    (tmp_path / "secret.npz").write_bytes(b"")
    file = tmp_path / "run/dynamics/gradient/000000000000-000000000001.npz"
    file.unlink()
    file.symlink_to(tmp_path / "secret.npz")
    with pytest.raises(RunError, match="must lie in its run directory"):
        runs.open(tmp_path / "run").arrays("gradient")
