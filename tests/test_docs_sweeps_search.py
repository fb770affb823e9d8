"""The table of pruners on the page of searches is that of the measurement, and the stated rate holds in it."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest


@pytest.fixture
def measured(repository):
    return json.loads((repository / "benchmarks/truth/pruning.json").read_text())


def row(name, families):
    """Of all families together: winners pruned with the exact interval of 95 %, and means over the families."""
    pruned, draws = (sum(each[key] for each in families.values()) for key in ("winners_pruned", "draws"))
    low, high = binomtest(pruned, draws).proportion_ci(0.95)
    worst = max(families, key=lambda family: families[family]["winners_pruned"])
    saved, regret = (np.mean([each[key] for each in families.values()]) for key in ("epochs_saved", "regret"))
    most = 100 * families[worst]["winners_pruned"] / families[worst]["draws"]
    return (
        f"| `{name}` | {100 * pruned / draws:.1f} % ({100 * low:.1f} to {100 * high:.1f} %) | "
        f"{most:.0f} % ({worst.replace('_', ' ')}) | {100 * saved:.0f} % | {regret:.4f} |"
    )


def test_table_is_that_of_the_measurement(measured, repository):
    page = (repository / "docs/sweeps_search.md").read_text()
    table = [line for line in page.splitlines() if line.startswith("| `") and "Pruner(" in line]
    assert table == [row(name, families) for name, families in measured.items()]


def test_stated_rate_holds_in_every_family_and_with_its_interval_in_all(measured):
    families = measured["StabilityPruner(rate=0.05)"]
    assert sum(each["draws"] for each in families.values()) >= 500
    assert all(each["winners_pruned"] / each["draws"] <= 0.05 for each in families.values())
    pruned, draws = (sum(each[key] for each in families.values()) for key in ("winners_pruned", "draws"))
    assert binomtest(pruned, draws).proportion_ci(0.95).high < 0.05
