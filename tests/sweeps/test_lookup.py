"""From a design file or a folder to the frozen sweep, and what is said where there is none."""

import pytest

from unetdyn.sweeps.design import read_design
from unetdyn.sweeps.lookup import find_sweep
from unetdyn.sweeps.table import Row, SweepError, freeze

DESIGN = "name: rates\nbase: train.yaml\nfactors: {fit.batch_size: [8, 16]}\nseeds: 3\n"


@pytest.fixture
def design(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.yaml").write_text("data: {kind: synthetic}\n")
    path = tmp_path / "sweep.yaml"
    path.write_text(DESIGN)
    read = read_design(path)
    freeze(read.folder, read.name, "", {}, read.described(), read.base, [Row(1, 1, 0, {"fit.batch_size": 8}, {}, "x")])
    return path


def test_find_sweep_by_its_folder_and_by_its_design(design, tmp_path):
    assert find_sweep("sweeps/rates").rows == find_sweep(design).rows
    assert find_sweep(tmp_path / "sweeps/rates").name == find_sweep("sweeps/rates/sweep.json").name == "rates"


def test_find_sweep_takes_a_design_that_says_the_same_in_other_words(design):
    design.write_text("# Rates\n" + DESIGN.replace("[8, 16]", "\n  [8.0, 16]") + "design: {kind: factorial, seed: 0}\n")
    assert find_sweep(design).name == "rates"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: 3", "seeds: 5", r"`seeds` was 3 and is 5\. Undo that; or give it another `name` or `directory`"),
        ("[8, 16]", "[8, 32]", r"`factors\.fit\.batch_size` was \[8, 16\] and is \[8, 32\]"),
        (
            "{fit.batch_size: [8, 16]}",
            "{fit.epochs: [8, 16]}",
            r"`factors\.fit\.batch_size` has gone; `factors\.fit\.epochs` has",
        ),
    ],
)
def test_find_sweep_of_a_changed_design_says_what_changed(design, old, new, message):
    design.write_text(DESIGN.replace(old, new))
    with pytest.raises(SweepError, match=message):
        find_sweep(design)
    assert find_sweep("sweeps/rates").name == "rates"


def test_find_sweep_of_a_changed_base_says_what_changed(design, tmp_path):
    (tmp_path / "train.yaml").write_text("data: {kind: synthetic, size: 64}\n")
    with pytest.raises(SweepError, match=r"`base\.data\.size` has come"):
        find_sweep(design)


def test_find_sweep_of_a_design_that_was_not_planned_says_where_it_looked(design):
    design.write_text(DESIGN.replace("rates", "others"))
    with pytest.raises(
        FileNotFoundError, match=r"must have been planned.* in sweeps/others.*Plan it with `unetdyn sweep plan"
    ):
        find_sweep(design)


def test_find_sweep_of_nothing_is_refused(design):
    with pytest.raises(
        FileNotFoundError, match=r"must be its design file, or the folder.* Received: nothing, which is not"
    ):
        find_sweep("nothing")
    with pytest.raises(FileNotFoundError, match="must be a folder that `unetdyn sweep plan` made"):
        find_sweep("sweeps")


def test_find_sweep_of_a_design_frozen_by_another_version_goes_by_what_it_says(design, tmp_path):
    read = read_design(design)
    old = read.described()
    del old["design"], old["exclude"]  # keys that came later have their defaults
    design.write_text(DESIGN + "directory: old\n")
    freeze("old", "rates", "", {}, old | {"directory": "old"}, {}, [Row(1, 1, 0, {}, {}, "")])
    assert find_sweep(design).path.name == "old"
