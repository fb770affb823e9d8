"""What `benchmarks/metric_cases.py` measures libraries with: its exact values, and ours beside them."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from scripts_by_path import benchmarks_importable

with benchmarks_importable():
    import metric_cases

CASES = metric_cases.make_cases(side=64, many=3)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exact_values_are_those_of_sklearn_and_ours_are_right(case):
    images = [(y != case.void, y > 0, z > 0) for batch in case.batches for y, z in zip(*batch, strict=True)]
    flat = [np.concatenate([image[i].ravel() for image in images]) for i in range(3)]
    each = [f1_score(y[kept], p[kept], zero_division=np.nan) for kept, y, p in images]
    defined = [score for score in each if score == score]
    mean = sum(defined) / len(defined) if defined else np.nan
    expected = f1_score(flat[1][flat[0]], flat[2][flat[0]], zero_division=np.nan), mean
    found = [np.nan if right is None else float(right) for right in metric_cases.exact(case)]
    assert found == pytest.approx(expected, nan_ok=True)
    assert [metric_cases.cell(column, case)[1] for column in metric_cases.COLUMNS[:2]] == [True, True]


def test_a_library_that_is_absent_says_so_in_its_cell():
    def absent(case):
        raise ImportError("No module named 'absent'")

    column = metric_cases.Column("absent", "absent", absent, False)
    assert metric_cases.cell(column, CASES[0]) == ("not imported: No module named 'absent'", False)
