"""What each of several trainings on one machine gets of its cores and its GPUs, as variables of its environment."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

_CARD = re.compile(r"^GPU (\d+): ", re.MULTILINE)
_PART = re.compile(r"^\s+MIG .*\(UUID: (MIG-[^)]+)\)", re.MULTILINE)


def visible_gpus(environment: Mapping[str, str] | None = None) -> list[str]:
    """The GPUs of this machine, as `CUDA_VISIBLE_DEVICES` names them.

    Args:
        environment: Default: that of this process. Where it has `CUDA_VISIBLE_DEVICES`, as jobs of schedulers have,
            those are all; else what `nvidia-smi -L` lists, with the parts of a card that is divided (MIG) instead of
            the card.

    Returns:
        Empty without a GPU; AMD's, Apple's and Intel's are not shared out.

    Example:
        >>> visible_gpus({"CUDA_VISIBLE_DEVICES": "2,3"}), visible_gpus({"CUDA_VISIBLE_DEVICES": ""})
        (['2', '3'], [])
    """
    environment = os.environ if environment is None else environment
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        given = [each.strip() for each in named.split(",") if each.strip()]
        hidden = next((place for place, each in enumerate(given) if each == "-1"), len(given))  # as CUDA reads it
        return given[:hidden]
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return []
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return listed_gpus(listed)


def listed_gpus(listed: str) -> list[str]:
    """What `nvidia-smi -L` says.

    >>> listed_gpus("GPU 0: NVIDIA A100 (UUID: GPU-5c89852c)\\nGPU 1: NVIDIA A100 (UUID: GPU-6d90963d)\\n")
    ['0', '1']
    """
    return _PART.findall(listed) or _CARD.findall(listed)


def environment_of(slot: int, jobs: int, gpus: list[str], available: int, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of one of several trainings.

    Args:
        slot: Which of them, from 0.
        jobs: How many there are.
        gpus: From `visible_gpus`; dealt out in turn. Where there are fewer than jobs some share one, and then take
            memory as they need it, instead of all of it.
        available: From `unetdyn.runs.process.cores`. Each training gets as many threads as its share has, at least one:
            trainings whose threads fight for cores are slower than one after the other.
        given: The environment that they inherit; what it says of threads and of memory stays.

    Returns:
        The whole environment: `CUDA_VISIBLE_DEVICES`; threads for OpenMP and PyTorch (`OMP_NUM_THREADS`), OpenBLAS and
        MKL, and TensorFlow (`TF_NUM_INTRAOP_THREADS`, `TF_NUM_INTEROP_THREADS`). JAX takes no number of threads: only
        where the share is one core it is told, by `XLA_FLAGS`, not to use several for an operation.

    Example:
        >>> shares = [environment_of(slot, 3, ["0", "1"], 8, {}) for slot in range(3)]
        >>> [share["CUDA_VISIBLE_DEVICES"] for share in shares], shares[0]["OMP_NUM_THREADS"]
        (['0', '1', '0'], '2')
    """
    threads = str(max(available // jobs, 1))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    made = dict.fromkeys((*names, "TF_NUM_INTEROP_THREADS"), threads)
    flags, one = given.get("XLA_FLAGS", ""), "--xla_cpu_multi_thread_eigen=false"
    if threads == "1" and given.get("KERAS_BACKEND") == "jax" and one.partition("=")[0] not in flags:
        made["XLA_FLAGS"] = f"{flags} {one}".strip()
    if 0 < len(gpus) < jobs:
        made |= {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    made |= {name: value for name, value in given.items() if name != "XLA_FLAGS" or name not in made}
    if gpus:
        made["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    return made
