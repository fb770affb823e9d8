"""What a test asks of findings: their codes, levels and numbers; how they are worded has tests of its own."""

import re

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def told(monitor):
    """(epoch, code, level) of each finding, in order."""
    return [(epoch, found.code, found.level) for epoch, found in monitor.findings]


def numbers(found):
    """The numbers in what a finding has seen, in the order of the text."""
    return [float(number) for number in _NUMBER.findall(found.seen)]
