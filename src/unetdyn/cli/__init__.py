"""The command line: train, carry on, predict, evaluate, show, diagnose, report, export and sweep, and a demonstration.

Commands import what they need when they are called, so that a run is shown without Keras.
"""

import io
import os
import sys

import click

from unetdyn import __version__
from unetdyn.cli.evaluating import evaluate
from unetdyn.cli.exporting import export
from unetdyn.cli.predicting import predict
from unetdyn.cli.reading import diagnose, report, show
from unetdyn.cli.sweeping import sweep
from unetdyn.cli.training import demo, resume, train

# TensorFlow greets a machine without a GPU with lines that look like errors. What goes wrong still raises.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unetdyn")
def main() -> None:
    """Train U-Nets, and see what their training is doing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack a symbol, and a file's name may be no text
            stream.reconfigure(errors="replace")


for command in (train, resume, demo, predict, evaluate, show, diagnose, report, export, sweep):
    main.add_command(command)
