"""The script of a job array, made from a template that users may edit."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError, UndefinedError, meta

import unetdyn
from unetdyn._checks import nearest
from unetdyn.sweeps.schedulers.pbs import bash_list
from unetdyn.sweeps.schedulers.ranges import text_of
from unetdyn.sweeps.schedulers.scheduler import Array, Scheduler
from unetdyn.sweeps.schedulers.settings import JobSettings

VARIABLES = {
    "account": "who pays, or nothing",
    "command": "what trains the row `$row`, and ends with 75 where the rest is for another time",
    "cpus": "of a task",
    "directory": "where the sweep was submitted, quoted for a shell",
    "gpus": "of a task",
    "job_name": "the sweep's name, as schedulers take it",
    "max_requeues": "how often a task may go back into the queue",
    "max_running": "how many tasks may run at a time, or nothing",
    "memory": "of a task, with its unit, or nothing",
    "modules": "a list of names",
    "name": "the sweep's name",
    "queue": "the queue or partition, or nothing",
    "resubmit": "the command that submits what is not finished, quoted for a shell",
    "row": "what a shell makes the task's row of",
    "row_list": "the rows as members of an array of bash, such as `{1..7} 9`",
    "rows": "the rows in words, such as 1-7,9",
    "seconds": "the walltime less `signal_before`, in seconds",
    "setup": "a list of lines of shell",
    "signal_before": "how many seconds before the walltime a training is told to end",
    "tasks": "what the directive of arrays takes, such as 1-8; nothing for a single job",
    "version": "of unetdyn",
    "walltime": "as H:MM:SS",
}
"""What a template may use."""


@dataclass(frozen=True)
class Script:
    """A template, and where it comes from.

    Attributes:
        text: The template.
        origin: What it is called in a sentence.
    """

    text: str
    origin: str

    def render(self, values: dict[str, Any]) -> str:
        """The script.

        Raises:
            ValueError: If the template is none, or uses a variable that there is not.
        """
        environment = _environment()
        try:
            unknown = sorted(meta.find_undeclared_variables(environment.parse(self.text)) - set(VARIABLES))
            if unknown:
                raise ValueError(
                    f"{self.origin} must use variables that there are: {', '.join(VARIABLES)}. "
                    f"Received: {unknown[0]!r}.{nearest(unknown[0], VARIABLES)}"
                )
            return environment.from_string(self.text).render(values)
        except UndefinedError as error:
            raise ValueError(
                f"{self.origin} must use variables that there are: {', '.join(VARIABLES)}. Received: {error.message}."
            ) from None
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            raise ValueError(
                f"{self.origin} must be a template of Jinja2. Received: {f'in line {line}, ' if line else ''}"
                f"{error.message}. (A # before {{ begins a comment there: write {{{{ '{{#' }}}} for it.)"
            ) from None


def template_of(scheduler: Scheduler, file: Path | None = None) -> Script:
    """A user's template, or the one that comes with unetdyn.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no text.
    """
    if file is None:
        loader = PackageLoader("unetdyn.sweeps", "schedulers")
        source, _, _ = loader.get_source(_environment(), f"{scheduler.name}.sh.j2")
        return Script(source, f"The template of {scheduler.name}")
    try:
        return Script(file.read_text(encoding="utf-8"), f"The template {file}")
    except UnicodeDecodeError:
        raise ValueError(f"A template must be a text in UTF-8. Received: {file}.") from None


def values_of(
    scheduler: Scheduler,
    settings: JobSettings,
    array: Array,
    *,
    name: str,
    directory: Path,
    command: str,
    resubmit: str,
) -> dict[str, Any]:
    """What a template is filled with: `VARIABLES`."""
    return {
        "account": settings.account,
        "command": command,
        "cpus": settings.cpus,
        "directory": shlex.quote(str(directory)),
        "gpus": settings.gpus,
        "job_name": job_name(name),
        "max_requeues": settings.max_requeues,
        "max_running": settings.max_running,
        "memory": scheduler.memory(settings),
        "modules": settings.modules,
        "name": " ".join(name.split()),
        "queue": settings.queue,
        "resubmit": shlex.quote(resubmit),
        "row": array.row,
        "row_list": bash_list(array.rows),
        "rows": text_of(array.rows),
        "seconds": settings.seconds - settings.signal_before,
        "setup": settings.setup,
        "signal_before": settings.signal_before,
        "tasks": array.tasks,
        "version": unetdyn.__version__,
        "walltime": settings.clock,
    }


def job_name(name: str) -> str:
    """As all schedulers take it: PBS wants a letter first and no spaces, and shows 15 characters.

    >>> job_name("3 nets, two rates"), job_name("rates")
    ('sweep-3-nets-tw', 'rates')
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")
    return (plain if plain[:1].isalpha() else f"sweep-{plain}".rstrip("-"))[:15]


def _environment() -> Environment:
    return Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
