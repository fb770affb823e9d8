"""Rows handed to a cluster, of which these tests play the part: Ray itself is in `tests/faults/test_ray.py`."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

from ray_rows import frozen
from unetdyn.runs import RunWriter
from unetdyn.sweeps import ray_engine
from unetdyn.sweeps.ray_engine import run_ray
from unetdyn.sweeps.table import SweepError


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause):
        self.cause = cause


class Cluster:
    """As Ray, but that each task is done when it is asked for, in the order in which they came."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, nodes=({"CPU": 4.0},)):
        self.options, self.shut, self._nodes = None, False, nodes

    def is_initialized(self):
        return False

    def init(self, **options):
        self.began_with = options

    def shutdown(self):
        self.shut = True

    def nodes(self):
        return [{"Alive": True, "Resources": dict(each)} for each in self._nodes] + [
            {"Alive": False, "Resources": {"CPU": 99.0, "GPU": 9.0}}
        ]

    def remote(self, **options):
        self.options = options
        return lambda function: SimpleNamespace(remote=lambda *given: (object(), function, given))

    def wait(self, references, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        _, function, given = reference
        try:
            return function(*given)
        except RayError:
            raise
        except Exception as error:
            raise RayTaskError(error) from error


@pytest.fixture
def cluster(monkeypatch):
    def make(*nodes):
        made = Cluster(nodes or ({"CPU": 4.0},))
        monkeypatch.setitem(sys.modules, "ray", made)
        return made

    return make


def test_every_row_is_done_once_and_prints_into_its_log(tmp_path, cluster):
    made, sweep, done, told = cluster(), frozen(tmp_path, 3), [], io.StringIO()
    RunWriter(sweep.run_path(2)).finish()

    def work(sweep, number):
        done.append(number)
        os.write(1, b"by a library in C, ")
        print("by Python", number)
        return 0

    assert run_ray(sweep, "auto", work=work, stream=told) == {1: 0, 2: 0, 3: 0}
    assert done == [1, 3]
    assert sweep.log_path(3).read_text() == "by a library in C, by Python 3\n"
    assert "(2 of 2)" in told.getvalue()
    assert (made.began_with["address"], made.shut) == ("auto", True)
    assert made.options == {
        "max_calls": 1, "max_retries": 3, "retry_exceptions": False, "num_cpus": 1, "num_gpus": 0.0,
    }  # fmt: skip


def test_what_is_finished_needs_no_cluster(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    sweep = frozen(tmp_path, 1)
    RunWriter(sweep.run_path(1)).finish()
    assert run_ray(sweep) == {1: 0}


def test_missing_ray_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'needs Ray: pip install "unetdyn\[ray\]"'):
        run_ray(frozen(tmp_path, 1))


@pytest.mark.parametrize(
    ("nodes", "asked", "needs"),
    [
        ([{"CPU": 2.0}, {"CPU": 8.0, "GPU": 2.0}], {}, {"num_cpus": 1, "num_gpus": 1.0}),
        ([{"CPU": 2.0, "GPU": 1.0}], {"gpus_per_row": 0.5, "cpus_per_row": 2}, {"num_cpus": 2, "num_gpus": 0.5}),
        ([{"CPU": 2.0, "GPU": 1.0}], {"gpus_per_row": 0}, {"num_cpus": 1, "num_gpus": 0}),
    ],
)
def test_rows_ask_for_what_they_need(tmp_path, cluster, nodes, asked, needs):
    made = cluster(*nodes)
    run_ray(frozen(tmp_path, 1), work=lambda *_: 0, stream=io.StringIO(), **asked)
    assert made.options.items() >= needs.items()


def test_rows_that_no_node_can_do_are_refused(tmp_path, cluster):
    cluster({"CPU": 2.0, "GPU": 1.0}, {"CPU": 8.0})
    with pytest.raises(SweepError, match=r"Received: cpus_per_row=4, gpus_per_row=1; the nodes have 2 CPUs, 1 GPUs; 8"):
        run_ray(frozen(tmp_path, 1), cpus_per_row=4)
    with pytest.raises(ValueError, match=r"`cpus_per_row` must be a finite number, 0 or above\. Received: .*-1"):
        run_ray(frozen(tmp_path / "other", 1), cpus_per_row=-1)


def test_stopped_row_is_tried_again_as_often_as_allowed(tmp_path, cluster):
    cluster()
    codes = {1: [75, 143, 0], 2: [143, 143, 143, 143, 0]}
    found = run_ray(frozen(tmp_path, 2), work=lambda _, number: codes[number].pop(0), stream=io.StringIO(), retries=3)
    assert found == {1: 0, 2: 143}
    assert codes == {1: [], 2: [0]}


def test_row_of_somebody_else_is_asked_for_again_until_patience_ends(tmp_path, cluster, monkeypatch):
    cluster()
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(ray_engine.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(ray_engine.time, "sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))
    codes = {1: [3, 3, 0], 2: [3] * 100}
    found = run_ray(frozen(tmp_path, 2), work=lambda _, n: codes[n].pop(0), stream=io.StringIO(), poll=30, patience=900)
    assert found == {1: 0, 2: 3}
    assert len(codes[2]) == 100 - 32  # at 0, 30 … 930 seconds


def test_lost_and_failed_rows_are_told_and_the_others_done(tmp_path, cluster):
    cluster()
    told = io.StringIO()

    def work(sweep, number):
        if number == 1:
            raise RayError("node died")
        if number == 2:
            raise ValueError("no\nsuch thing")
        return 0

    assert run_ray(frozen(tmp_path, 3), work=work, stream=told) == {1: 1, 2: 1, 3: 0}
    assert "Row 1 was lost: RayError" in told.getvalue()
    assert "Row 2 failed: no such thing" in told.getvalue()


def test_folder_that_is_not_on_a_node_is_told(tmp_path, cluster):
    cluster()
    told, sweep = io.StringIO(), frozen(tmp_path / "here", 1)
    (tmp_path / "here").rename(tmp_path / "there")
    assert run_ray(sweep, work=lambda *_: 0, stream=told) == {1: 1}
    assert "must be at one path on all nodes" in told.getvalue()


def test_row_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SweepError, match=r"from 1 to 1\. Received: 2\."):
        run_ray(frozen(tmp_path, 1), rows=[1, 2])
