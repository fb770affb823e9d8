"""What the tests of the models share."""

from collections.abc import Iterator

import keras
import pytest


@pytest.fixture
def without_weights() -> Iterator[None]:
    """Builds models without drawing their weights: all that a test of names, shapes and counts needs.

    On JAX the first draw of every shape is compiled, which takes half a minute for one U-Net of depth 4.
    """
    with keras.StatelessScope(initialize_variables=False):
        yield
