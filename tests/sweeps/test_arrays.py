"""Rows as arrays of SLURM and PBS: which tasks there are, and what their schedulers say of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetdyn.sweeps.schedulers.pbs import Pbs, bash_list
from unetdyn.sweeps.schedulers.ranges import rows_of, text_of
from unetdyn.sweeps.schedulers.scheduler import SchedulerError
from unetdyn.sweeps.schedulers.slurm import Slurm

ROWS = st.sets(st.integers(1, 40), min_size=1).map(sorted)


@given(rows=ROWS, largest=st.integers(1, 12))
def test_arrays_have_each_row_once_and_numbers_that_are_allowed(rows, largest):
    for scheduler in (Slurm(), Pbs()):
        arrays = scheduler.arrays(rows, largest)
        assert [row for array in arrays for row in array.rows] == rows
        assert all(1 <= number <= largest for array in arrays for number in array.numbers)
        assert all(len(set(array.numbers)) == len(array.rows) for array in arrays)


@given(rows=ROWS)
def test_ranges_name_what_they_were_made_of(rows):
    assert list(rows_of(text_of(rows), 40)) == rows
    named = [(int(a), int(b or a)) for a, b in re.findall(r"\{?(\d+)(?:\.\.(\d+))?\}?", bash_list(rows))]
    assert [row for first, last in named for row in range(first, last + 1)] == rows


@pytest.mark.parametrize("text", ["", "0", "3-2", "13", "1-13", "1,,2", "a", "1.5", "-1", "٣"])
def test_rows_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=r"from 1 to 12, like 1-7,9\. Received: "):
        rows_of(text, 12)


def test_what_prints_no_job_is_an_error():
    with pytest.raises(SchedulerError, match="Submitted batch job N"):
        Slurm().job_of("welcome")
    with pytest.raises(SchedulerError, match="the id of a job"):
        Pbs().job_of("welcome to 17")


def test_job_that_has_left_the_queue_has_no_tasks_there(clusters):
    clusters()
    assert Slurm().waiting("99") == Pbs().waiting("99[].fake") == set()


def test_limit_of_arrays_is_asked_for(clusters):
    clusters(max_array=250)
    assert (Slurm().largest_array(), Pbs().largest_array()) == (250, 250)
