"""What the tests of faults share."""

import pytest

from faults.forks import Forks


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    """Processes that begin at once."""
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()
