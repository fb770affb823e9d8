"""docs/sweeps.md: its design is the one that is shipped, its table has every key, and its figures are ours."""

import re

import pytest
import yaml

from unetdyn.sweeps.design import Design, Scheme, read_design
from unetdyn.sweeps.designs.choice import choose
from unetdyn.sweeps.levels import Range
from unetdyn.sweeps.row_config import checked
from unetdyn.sweeps.rows import rows_of


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs/sweeps.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def studies(repository):
    return read_design(repository / "configs/sweep_studies.yaml")


def test_shipped_sweep_can_be_trained(studies):
    rows, configs = checked(studies.base, rows_of(studies, choose(studies).cells))
    assert len(rows) == len({row.config for row in rows}) == 3 * 2 * 2 * 3
    assert {config.fit.epochs for config in configs} == {studies.base["fit"]["epochs"]}


def test_page_shows_the_shipped_design(page, studies, tmp_path):
    (tmp_path / "sweep.yaml").write_text(re.findall(r"```yaml\n(.*?)```", page, re.S)[0])
    shown = read_design(tmp_path / "sweep.yaml")
    assert shown.model_copy(update={"base": studies.base | {"name": "studies"}}) == studies
    assert {"name": "studies"} | shown.base == studies.base


def test_page_has_every_key(page):
    for key in Design.model_fields:
        assert key == "design" or f"| `{key}` |" in page
    for key in Scheme.model_fields:
        assert f"| `design.{key}` |" in page
    for key in Range.model_fields:
        assert f"{key}: " in page


def test_page_tells_the_aliases_of_five_factors(page):
    factors = ["model.architecture", "model.filters", "optimizer.learning_rate", "fit.batch_size", "model.dropout"]
    scheme = {"kind": "fractional", "resolution": 3}
    design = Design(name="x", base={}, factors={key: [0, 1] for key in factors}, seeds=1, design=scheme)
    words = " ".join(page.split())
    assert all(note in words for note in choose(design).notes)


def test_page_tells_the_efficiency_of_six_of_twelve(page, studies):
    design = studies.model_copy(update={"design": Scheme(kind="fractional", runs=6)})
    efficiency = re.search(r"D-efficiency ([\d.]+ %)", choose(design).notes[0])[1]
    assert f"{efficiency} here" in page


def test_yaml_of_the_page_is_yaml(page):
    for block in re.findall(r"```yaml\n(.*?)```", page, re.S):
        assert isinstance(yaml.safe_load(block), dict)
