"""What each of several trainings gets of a machine."""

import os
import stat

import pytest

from unetdyn.sweeps.shares import environment_of, listed_gpus, visible_gpus

LISTED = "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c)\nGPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-6d90963d)\n"
DIVIDED = (
    "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c)\n"
    "  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)\n"
    "  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)\n"
)


@pytest.fixture
def smi(tmp_path):
    """A stand-in for `nvidia-smi`, and the environment in which it is found."""

    def made(text, code=0):
        file = tmp_path / "nvidia-smi"
        file.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] || exit 9\ncat <<'END'\n{text}END\nexit {code}\n")
        file.chmod(file.stat().st_mode | stat.S_IEXEC)
        return {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    return made


def test_gpus_are_those_that_a_scheduler_gave():
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "3, GPU-5c89852c"}) == ["3", "GPU-5c89852c"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "0,-1,1"}) == ["0"]  # CUDA stops at what is none


def test_gpus_are_those_that_nvidia_smi_lists(smi):
    assert visible_gpus(smi(LISTED)) == ["0", "1"]
    assert visible_gpus(smi("")) == []
    assert visible_gpus(smi("NVIDIA-SMI has failed\n", code=9)) == []
    assert visible_gpus({"PATH": ""}) == []


def test_parts_of_a_card_are_cards():
    assert listed_gpus(DIVIDED) == [
        "MIG-c7384736-a75d-5afc-978f-d2f1294409fd",
        "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d",
    ]


def test_gpus_are_dealt_out_in_turn():
    shares = [environment_of(slot, 5, ["2", "7"], 8, {}) for slot in range(5)]
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["2", "7", "2", "7", "2"]
    assert {share["TF_FORCE_GPU_ALLOW_GROWTH"] for share in shares} == {"true"}
    own = environment_of(1, 2, ["2", "7"], 8, {})
    assert own["CUDA_VISIBLE_DEVICES"] == "7"
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in own
    assert "CUDA_VISIBLE_DEVICES" not in environment_of(0, 2, [], 8, {})


@pytest.mark.parametrize(("available", "jobs", "threads"), [(16, 3, "5"), (2, 2, "1"), (2, 5, "1"), (4, 1, "4")])
def test_cores_are_shared_out(available, jobs, threads):
    share = environment_of(0, jobs, [], available, {})
    assert share["OMP_NUM_THREADS"] == share["TF_NUM_INTRAOP_THREADS"] == share["TF_NUM_INTEROP_THREADS"] == threads


def test_what_the_user_has_set_stays():
    given = {"OMP_NUM_THREADS": "3", "HOME": "/home/me", "XLA_FLAGS": "--xla_dump_to=x", "KERAS_BACKEND": "jax"}
    share = environment_of(0, 2, [], 2, given)
    assert share["OMP_NUM_THREADS"] == "3"
    assert share["HOME"] == "/home/me"
    assert share["XLA_FLAGS"] == "--xla_dump_to=x --xla_cpu_multi_thread_eigen=false"
    assert environment_of(0, 2, [], 8, given)["XLA_FLAGS"] == "--xla_dump_to=x"
    own = {**given, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true"}
    assert environment_of(0, 2, [], 2, own)["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=true"
    assert "XLA_FLAGS" not in environment_of(0, 2, [], 2, {})
