"""Files as a full disk, a killed writer, a bad cable or an ill will leaves them, and how a reader must bear them."""

import json
import os
import warnings
from collections import Counter
from contextlib import contextmanager

TRIES = int(os.environ.get("UNETDYN_SOAK", "0"))
"""How many tries `make soak` asks for, of all tests together; 0 for the cheap share that each run of the tests has."""

FIRST = int(os.environ.get("UNETDYN_SOAK_FROM", "0"))
"""The first seed: other tries than the last time."""

SHARE = 25
DOCUMENTED = (OSError, ValueError)
TOKENS = (
    b"5",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"NaN",
    b"-1",
    b"1e999",
    b"0x10",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\n",
)
TOKENS += (
    b"\t",
    b",",
    b";",
    b'"',
    b":",
    b"9" * 400,
    b"<b>",
    b"../..",
    b"true",
    b"[" * 2000,
    b'"\\ud800"',
    b"*a",
    b"&a ",
    b"!!x ",
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    2**70,
    1e308,
    0.5,
    "",
    "NaN",
    "<script>",
    "\x1b[31m",
    "..",
    "/etc/passwd",
    [],
    [5],
    {},
    {"a": {}},
)
VALUES += ([None], ["x", 1], {"name": 5}, "é" * 300, -0.0, "\ud800")


def tries(share, cheap=SHARE):
    """How often a test tries: its share of the soak's tries, 0 to 1; a few times in each run of the tests."""
    return max(round(TRIES * share), 1) if TRIES else cheap


def seeds(share, cheap=SHARE):
    """A seed for each of the tries."""
    return range(FIRST, FIRST + tries(share, cheap))


def damaged(random, content):
    """The bytes cut off, with flipped bits, with parts lost, repeated or overwritten; now and then as they are."""
    kind = random.choice(("cut", "flip", "flip", "lose", "repeat", "token", "token", "zero", "junk", "whole"))
    at, length = random.randrange(len(content) + 1), random.choice((1, 1, 2, 8, 64, 512))
    if kind == "cut":
        return content[:at]
    if kind == "flip":
        flipped = bytearray(content)
        for _ in range(random.choice((1, 1, 3, 20)) if content else 0):
            flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
        return bytes(flipped)
    if kind == "lose":
        return content[:at] + content[at + length :]
    if kind == "repeat":
        return content[: at + length] + content[at:]
    if kind == "token":
        return content[:at] + random.choice(TOKENS) + content[at + random.choice((0, 1, length)) :]
    if kind == "zero":
        return content[:at] + bytes(length) + content[at + length :]
    return random.randbytes(length) if kind == "junk" else content


def reshaped(random, value):
    """JSON or YAML with a part of it replaced, left out or added."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        kind = random.random()
        if kind < 0.15:
            return {name: part for name, part in value.items() if name != key}
        if kind < 0.3:
            return {**value, random.choice((key + "s", "", "epoch", "kind", "..", "<b>")): random.choice(VALUES)}
        return {**value, key: reshaped(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return [*value[:at], reshaped(random, value[at]), *value[at + 1 :]]
    return random.choice(VALUES)


def reshaped_lines(random, content):
    """JSON lines, one of them with another shape."""
    lines = content.splitlines()
    at = random.randrange(len(lines))
    lines[at] = json.dumps(reshaped(random, json.loads(lines[at]))).encode()
    return b"\n".join(lines) + b"\n"


class Bearing:
    """What became of the tries: read, or refused with one of the documented errors; any other fails the test."""

    def __init__(self):
        self.counts = Counter()

    @contextmanager
    def of(self, told, documented=DOCUMENTED):
        """One try; `told` is what makes it again."""
        self.counts["tries"] += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield
            except documented as error:
                if not str(error).strip():
                    raise AssertionError(f"an error without a word, of {told}") from error
                self.counts["refused"] += 1
                return
            except Exception as error:
                raise AssertionError(f"{type(error).__name__}: {error}, of {told}") from error
        self.counts["read"] += 1
