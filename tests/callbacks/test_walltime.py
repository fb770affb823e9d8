"""When a process began, where that can't be read."""

import os
import time

from unetdyn.callbacks import walltime


def test_process_of_a_container_with_a_clock_of_its_own_did_not_begin_in_the_future(monkeypatch):
    assert walltime._began() <= walltime._IMPORTED
    monkeypatch.setattr(os, "sysconf", lambda name: 1e-9)
    assert walltime._began() == walltime._IMPORTED <= time.monotonic()
