"""What is told of a batch size that changes: codes and numbers; it is no trouble."""

from unetdyn.analysis.diagnosis.messages.batch_size import batch_size_changed


def test_batch_size_changed():
    found = batch_size_changed(8, 16, 5)
    assert (found.code, found.level) == ("batch_size.changed", "unknown")
    assert "batches of 16 instead of 8 from here on, 5 an epoch" in found.seen
