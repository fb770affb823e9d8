"""A sweep on a Ray cluster of two nodes, of which one is killed, where Ray is installed."""

import io
import os
import threading
from pathlib import Path

import pytest

from ray_rows import EPOCHS, frozen, work
from unetdyn import runs
from unetdyn.sweeps.ray_engine import run_ray

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

ROWS = 10
TESTS = Path(__file__).parents[1]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A head without cores, and two nodes of two cores each."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)]))
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    made = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0, "include_dashboard": False}
    )
    try:
        made.nodes = [made.add_node(num_cpus=2, num_gpus=0) for _ in range(2)]
        made.wait_for_nodes()
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_rows_of_a_killed_node_are_done_again_on_the_other(tmp_path, cluster):
    sweep, found, told = frozen(tmp_path / "sweep", ROWS), {}, io.StringIO()
    (sweep.path / "wait").touch()

    def drive():
        found.update(run_ray(sweep, cluster.address, work=work, poll=0.2, stream=told))

    driver = threading.Thread(target=drive)
    driver.start()
    begun = wait_for(lambda: runs_begun(sweep) if len(runs_begun(sweep)) == 4 else None)  # all cores of both nodes
    cluster.remove_node(cluster.nodes[0], allow_graceful=False)  # kill -9, of its workers too
    again = wait_for(lambda: [number for number in begun if is_dead(sweep, number)] or None)
    (sweep.path / "wait").unlink()
    driver.join()

    assert found == dict.fromkeys(range(1, ROWS + 1), 0), told.getvalue()
    assert 1 <= len(again) <= 2
    for number in found:
        run = runs.open(sweep.run_path(number))
        assert run.status == "finished"
        assert [each["epoch"] for each in run.epochs] == list(range(EPOCHS))
        assert len({each["pid"] for each in run.epochs}) == (2 if run.resumed else 1)
        assert bool(run.resumed) == (sweep.log_path(number).read_text().count("begins") == 2)
    resumed = [number for number in found if runs.open(sweep.run_path(number)).resumed]
    assert set(again) <= set(resumed) <= set(begun)
    print(f"{ROWS} rows, 4 at once; a node killed with {len(resumed)} of them: each done once, {resumed} carried on")


def runs_begun(sweep):
    """Those of which two epochs are there, and which wait."""
    found = [number for number in range(1, ROWS + 1) if sweep.run_path(number).exists()]
    return [number for number in found if len(runs.open(sweep.run_path(number)).epochs) == 2]


def is_dead(sweep, number):
    from unetdyn.runs.process import is_alive
    from unetdyn.runs.strict_json import loads

    return is_alive(loads(sweep.claim_path(number).read_bytes())) is False


def wait_for(condition):
    limit = threading.Event()
    for _ in range(3000):
        try:
            if (found := condition()) is not None:
                return found
        except (OSError, ValueError):  # being written
            pass
        limit.wait(0.1)
    raise AssertionError("it never came about")
