"""Which state is kept in front of a validation."""

from unetdyn.callbacks.before_validation import LONG, BeforeValidation


def kept(*seconds):
    """The state that is there within each of some validations, which take these seconds."""
    clock, seen, numbers = {"now": 0.0}, [], iter(range(len(seconds)))
    before = BeforeValidation(lambda: {"number": next(numbers)}, seen.append, now=lambda: clock["now"])
    for each in seconds:
        before.on_test_begin()
        before.on_test_batch_begin(0)
        clock["now"] += each
        before.on_test_end()
        assert before.state is None
    return [None if state is None else state["number"] for state in seen]


def test_state_is_taken_for_the_first_validation_and_after_long_ones():
    assert kept(LONG + 1, LONG - 1, LONG + 1, 0) == [0, 1, None, 2]


def test_state_that_cannot_be_taken_is_none():
    seen = []
    before = BeforeValidation(lambda: None, seen.append)
    before.on_test_begin()
    before.on_test_batch_begin(0)
    assert seen == [None]
