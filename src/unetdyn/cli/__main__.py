"""`python -m unetdyn.cli` is `unetdyn`."""

from unetdyn.cli import main

main(prog_name="unetdyn")
