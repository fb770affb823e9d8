"""A configuration damaged in any way is taken, or refused in one sentence that says where."""

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from damage import VALUES, Bearing, damaged, reshaped, seeds, tries
from unetdyn.experiment import ConfigError, load_config, parse_config
from unetdyn.sweeps.design import read_design
from unetdyn.sweeps.table import SweepError

OVERRIDES = (
    "fit.epochs=3",
    "fit.epochs=[1",
    "stages.0.epochs=x",
    "data.kind=",
    "=3",
    "a..b=1",
    "model.filters=!!int x",
    "stages.²=1",
)


@pytest.fixture(scope="module")
def recipes(repository):
    found = sorted((repository / "configs").glob("*.yaml"))
    return {path.name: path.read_bytes() for path in found if not path.name.startswith("sweep_")}


def test_damaged_configuration_is_taken_or_refused(recipes, tmp_path):
    bearing = Bearing()
    path = tmp_path / "c.yaml"
    for seed in seeds(0.12, cheap=20):
        chance = random.Random(seed)
        name = chance.choice(list(recipes))
        content = recipes[name]
        if chance.random() < 0.6:
            values = reshaped(chance, yaml.safe_load(content))
            content = yaml.safe_dump(values, allow_unicode=True).encode(errors="surrogatepass")
        else:
            content = damaged(chance, content)
        path.write_bytes(content)
        overrides = [chance.choice(OVERRIDES)] if chance.random() < 0.1 else []
        with bearing.of(f"seed {seed}: {name} {overrides}", ConfigError):
            load_config(path, overrides)
    assert bearing.counts["read"] > 0.1 * bearing.counts["tries"]


def test_damaged_design_is_taken_or_refused(repository, tmp_path):
    bearing = Bearing()
    content, path = (repository / "configs/sweep_studies.yaml").read_bytes(), tmp_path / "sweep.yaml"
    for seed in seeds(0.06, cheap=20):
        chance = random.Random(seed)
        if chance.random() < 0.6:
            values = reshaped(chance, yaml.safe_load(content))
            path.write_bytes(yaml.safe_dump(values, allow_unicode=True).encode(errors="surrogatepass"))
        else:
            path.write_bytes(damaged(chance, content))
        with bearing.of(f"seed {seed}", SweepError):
            read_design(path)
    assert bearing.counts["read"] > 0.1 * bearing.counts["tries"]


ANY = st.recursive(
    st.sampled_from(VALUES[:-1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
SECTIONS = st.sampled_from(
    ["data", "model", "loss", "optimizer", "stages", "fit", "metrics", "callbacks", "seed", "name", "run_directory"]
)


@settings(max_examples=tries(0.03, cheap=15), deadline=None, derandomize=True, database=None)
@given(st.dictionaries(SECTIONS, ANY, max_size=3), st.booleans())
def test_any_values_are_taken_or_refused(values, with_data):
    with Bearing().of(repr(values), ConfigError):
        parse_config({"data": {"kind": "synthetic"}, **values} if with_data else values)


@settings(max_examples=tries(0.03, cheap=15), deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="abfit:{}[]-#&*!|>'\"%@,?~ \n\t0159.e\\<", max_size=60))
def test_any_text_is_taken_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text)
    with Bearing().of(repr(text), ConfigError):
        load_config(path)
