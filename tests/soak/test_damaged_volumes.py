"""Volumes damaged in any way are read, or refused in one sentence, in memory or part by part."""

import random

import numpy as np
import pytest

from damage import Bearing, damaged, seeds
from unetdyn.data import read_stack
from unetdyn.data.sources import lazy_pages
from volume_files import WRITERS, volume


def read_in_parts(path):
    return np.stack([np.asarray(page) for page in lazy_pages(path)])


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_volume_is_read_or_refused(tmp_path, name):
    path, bearing = tmp_path / name, Bearing()
    WRITERS[name](path, volume(6, 8, 10, "uint16"))
    parts = sorted(part for part in path.rglob("*") if part.is_file()) or [path]  # a Zarr store is a folder
    whole = [part.read_bytes() for part in parts]
    for seed in seeds(0.01, cheap=10):
        chance = random.Random(seed)
        at = chance.randrange(len(parts))
        parts[at].write_bytes(damaged(chance, whole[at]))
        with bearing.of(f"seed {seed}: {name}"):
            assert chance.choice((lambda file: read_stack(file)[0], read_in_parts))(path).ndim == 4
        parts[at].write_bytes(whole[at])
    assert bearing.counts["read"] + bearing.counts["refused"] == bearing.counts["tries"]
