"""What is known of published data sets is said in full."""

import pytest

from unetdyn.data.datasets import DATASETS


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_say_all_that_a_user_must_know(name):
    dataset = DATASETS[name]
    assert {len(remote.sha256) for remote in dataset.files if remote.sha256} <= {64}
    assert all(remote.url.startswith("https://") for remote in dataset.files)
    assert len({remote.name for remote in dataset.files}) == len(dataset.files)
    for text in (dataset.licence.name, dataset.licence.terms, dataset.licence.citation, dataset.page):
        assert text
