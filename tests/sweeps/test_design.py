"""What a design file may say, and how it is told that it may not."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from unetdyn.sweeps.design import Design, read_design
from unetdyn.sweeps.table import SweepError

HEAD = "name: rates\nbase: {data: {kind: synthetic}}\n"
FACTORS = "factors:\n  fit.batch_size: [8, 16]\n"


def read(tmp_path, text):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    return read_design(path)


def test_read_design_needs_only_name_base_factors_and_seeds(tmp_path):
    design = read(tmp_path, HEAD + FACTORS + "seeds: 3\n")
    assert design.base == {"data": {"kind": "synthetic"}}
    assert design.levels == {"fit.batch_size": (8, 16)}
    assert design.seed_list == (0, 1, 2)
    assert design.folder.parts == ("sweeps", "rates")
    assert (design.design.kind, design.design.seed) == ("factorial", 0)


def test_read_design_base_may_be_a_file_beside_it(tmp_path):
    (tmp_path / "train.yaml").write_text("data: {kind: synthetic, size: 64}\n")
    design = read(tmp_path, "name: x\nbase: train.yaml\n" + FACTORS + "seeds: [4, 2]\ndirectory: out/x\n")
    assert design.base == {"data": {"kind": "synthetic", "size": 64}}
    assert design.seed_list == (4, 2)
    assert design.folder.parts == ("out", "x")


def test_read_design_keeps_levels_as_they_are_written(tmp_path):
    text = (
        "factors:\n  optimizer.learning_rate: [1e-3, 1]\n  model.norm: [batch, null]\n  data.tile: [32, [4, 32, 32]]\n"
    )
    levels = read(tmp_path, HEAD + text + "seeds: 1\n").levels
    assert levels["optimizer.learning_rate"] == (0.001, 1)
    assert type(levels["optimizer.learning_rate"][1]) is int
    assert levels["model.norm"] == ("batch", None)
    assert levels["data.tile"] == (32, [4, 32, 32])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FACTORS + "seeds: 1\nfactor: 3\n", r"line 6: unknown key 'factor'\. Did you mean 'factors'\?"),
        ("seeds: 1\n", "`factors`: field required"),
        ("factors: {}\nseeds: 1\n", "line 3: `factors`: dictionary should have at least 1 item"),
        (FACTORS + "seeds: 0\n", r"line 5: `seeds`: input should be greater than 0\. Received: 0"),
        (FACTORS + "seeds: 2.5\n", r"line 5: `seeds`: input should be a valid integer.* Received: 2\.5"),
        (FACTORS + "seeds: [1, 1]\n", r"line 5: `seeds`: must be a number, or a list of different seeds\. Received"),
        (FACTORS + "seeds: [-1]\n", r"line 5: `seeds\.0`: input should be greater than or equal to 0"),
        (
            "factors: {seed: [1, 2]}\nseeds: 1\n",
            "line 3: `factors`: seed is no factor, for each run gets it from `seeds`",
        ),
        ("factors:\n  a.b: 8\nseeds: 1\n", r"line 4: `factors\.a\.b`: input should be a list\. Received: 8"),
        ("factors: {a: [1]}\nseeds: 1\n", r"a must have two levels or more, all different\. Received: \[1\]"),
        ("factors: {a: [1, 1.0]}\nseeds: 1\n", r"all different\. Received: \[1, 1\.0\]"),
        ("factors: {a..b: [1, 2]}\nseeds: 1\n", r"a key must be like optimizer\.learning_rate\. Received: 'a\.\.b'"),
        ("factors: {a: [1, 2], a.b: [1, 2]}\nseeds: 1\n", r"must not be within another.* Received: 'a' and 'a\.b'"),
        (
            FACTORS + "seeds: 1\nblocks: {fit: [{}, {epochs: 1}]}\n",
            "line 6: `blocks`: a key must not be within another",
        ),
        (
            FACTORS + "seeds: 1\nexclude:\n  - {fit.batchsize: 8}\n",
            r"line 6: .*'fit\.batchsize'\. Did you mean 'fit\.batch_",
        ),
        (FACTORS + "seeds: 1\nexclude: [{fit.batch_size: 9}]\n", r"must be one of \[8, 16\]\. Received: 9"),
        (FACTORS + "seeds: 1\nexclude: [{}]\n", r"an entry must name a setting\. Received: \{\}"),
        (FACTORS + "seeds: 1\ndesign: {kind: fractinal}\n", r"line 6: `design\.kind`.* Did you mean 'fractional'\?"),
        (FACTORS + "seeds: 1\ndesign: {kind: random}\n", r"`design`: kind: random needs `runs`.* Received: neither"),
        (FACTORS + "seeds: 1\ndesign: {runs: 3}\n", r"`runs` has no place in kind: factorial\. Received: runs=3"),
        (FACTORS + "seeds: 1\ndesign: {kind: fractional, resolution: 2}\n", r"`design\.resolution`.*or equal to 3"),
        (
            FACTORS
            + "seeds: 1\ndesign: {kind: fractional, runs: 2, interactions: [[fit.batch_size, fit.batchsize]]}\n",
            r"`interactions` must be one of 'fit\.batch_size'.* Did you mean 'fit\.batch_size'",
        ),
        (
            FACTORS
            + "seeds: 1\ndesign: {kind: fractional, runs: 2, interactions: [[fit.batch_size, fit.batch_size]]}\n",
            "`interactions` are of two factors",
        ),
        (
            "factors:\n  a: {low: 3, hgh: 2}\nseeds: 1\n",
            r"line 4: in `factors\.a`, unknown key 'hgh'\. Did you mean 'high'",
        ),
        ("factors: {a: {low: 3, high: 2}}\nseeds: 1\n", r"`factors\.a`: `low` must be below `high`\. Received: low=3"),
        ("factors: {a: {low: 0, high: 2, log: true}}\nseeds: 1\n", r"`low` must be above 0\. Received: low=0"),
        ("factors: {a: {low: 0.5, high: 2, integer: true}}\nseeds: 1\n", "both ends must be whole"),
        (
            "factors: {a: {low: 0, high: 1}}\nseeds: 1\ndesign: {kind: factorial}\n",
            "line 5: `design`: a range needs kind: latin_hypercube or random",
        ),
    ],
)
def test_read_design_says_what_is_wrong_and_where(tmp_path, text, message):
    with pytest.raises(SweepError, match=message):
        read(tmp_path, HEAD + text)


def test_read_design_range_without_a_design_that_draws_is_refused(tmp_path):
    with pytest.raises(SweepError, match="`design`: a range needs kind: latin_hypercube or random"):
        read(tmp_path, HEAD + "factors: {a: {low: 0, high: 1}}\nseeds: 1\n")


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden"])
def test_read_design_name_is_one_folder(tmp_path, name):
    with pytest.raises(SweepError, match="`name`: string should match pattern"):
        read(tmp_path, f"name: '{name}'\nbase: {{}}\n" + FACTORS + "seeds: 1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nbase: none.yaml\n", r"line 2: `base` must be a configuration, or the path of one.* is not there"),
        ("name: x\nbase: sweep.yaml/x\n", "is not there"),
        ("name: x\nbase: [1]\n", "line 2: `base`: input should be a valid dictionary"),
        ("name: x\nname: y\n", "is not valid YAML: line 2: the key 'name' was given in line 1 already"),
        ("", "must hold keys and values, such as {name: rates"),
    ],
)
def test_read_design_file_that_is_none_is_refused(tmp_path, text, message):
    with pytest.raises(SweepError, match=message):
        read(tmp_path, text)


def test_read_design_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        SweepError, match=r"The design of a sweep must be a YAML file\. Received: .*x\.yaml, which is not"
    ):
        read_design(tmp_path / "x.yaml")


def test_excludes_needs_every_setting_of_an_entry():
    exclude = [{"a": 1, "b": 1.0}]
    design = Design(name="x", base={}, factors={"a": [1, 2], "b": [1, 2]}, seeds=1, exclude=exclude)
    assert design.excludes({"a": 1, "b": 1})
    assert not design.excludes({"a": 1, "b": 2})
    assert not design.excludes({"a": 1})


def test_described_makes_the_same_design():
    design = Design(
        name="x",
        base={"data": {"kind": "synthetic"}},
        factors={"a": {"low": 1, "high": 2, "log": True}, "b": [None, "x"]},
        seeds=[3, 4],
        blocks={"c": [1, 2]},
        design={"kind": "random", "runs": 5},
    )
    assert Design.model_validate(design.described()) == design


def test_design_true_is_another_level_than_one():
    assert Design(name="x", base={}, factors={"a": [1, True]}, seeds=1).levels == {"a": (1, True)}
    with pytest.raises(ValidationError, match="all different"):
        Design(name="x", base={}, factors={"a": [[1, 2], (1, 2)]}, seeds=1)


def test_design_and_lookup_load_no_keras():
    code = (
        "import sys, unetdyn.sweeps.lookup, unetdyn.sweeps.detectable, unetdyn.sweeps.planning\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
