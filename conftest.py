"""The Python blocks of README.md and docs/*.md are examples that must run; Sybil hands them to pytest."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

try:
    from sybil import Sybil
    from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
except ImportError:  # the tests alone need no Sybil
    pytest_collect_file = None
else:
    pytest_collect_file = Sybil(
        parsers=[PythonCodeBlockParser(), SkipParser()], patterns=["README.md", "docs/**/*.md", "docs/*.md"]
    ).pytest()
