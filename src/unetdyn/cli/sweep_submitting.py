"""The command that gives rows of a sweep to a scheduler."""

from pathlib import Path
from typing import Any

import click

from unetdyn.cli.sentences import in_sentences, printable
from unetdyn.cli.training import Walltime


class Clock(Walltime):
    """A walltime that stays as it was written."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text; one that is no walltime ends the command."""
        super().convert(value, param, ctx)
        return str(value)


@click.command()
@click.argument("design", type=click.Path(path_type=Path))
@click.option("--scheduler", required=True, type=click.Choice(["slurm", "pbs"]), help="Who runs the jobs.")
@click.option("--walltime", type=Clock(), help="Of each task, as 4:00:00, 1-12:00:00 or in seconds. [required]")
@click.option("--queue", "--partition", metavar="NAME", help="The queue, which SLURM calls partition.")
@click.option("--account", metavar="NAME", help="Who pays.")
@click.option("--modules", multiple=True, metavar="NAME", help="Load a module first; as often as there are modules.")
@click.option("--setup", multiple=True, metavar="LINE", help="A line of shell before the training; several in order.")
@click.option("--memory", metavar="SIZE", help="Of each task, with its unit: 16G.")
@click.option("--cpus", type=click.IntRange(min=1), default=1, show_default=True, help="Of each task.")
@click.option("--gpus", type=click.IntRange(min=0), default=0, show_default=True, help="Of each task.")
@click.option("--max-running", type=click.IntRange(min=1), help="How many tasks of an array may run at a time.")
@click.option(
    "--signal-before",
    type=click.IntRange(min=1),
    default=120,
    show_default=True,
    help="So many seconds before the walltime a training saves and ends.",
)
@click.option(
    "--max-requeues",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="So often a task that has reached its walltime goes back into the queue.",
)
@click.option("--max-array", type=click.IntRange(min=1), help="Tasks of an array; without it the scheduler is asked.")
@click.option("--rows", metavar="1-7,9", help="Submit these; without it those that are missing, dead or stopped.")
@click.option("--template", type=click.Path(path_type=Path), help="Make the script of this template.")
@click.option(
    "--write-template", type=click.Path(path_type=Path), help="Write the template to a file, to edit; submit nothing."
)
@click.option("--dry-run", is_flag=True, help="Show the script and the command; submit nothing.")
def submit(
    design: Path,
    scheduler: str,
    rows: str | None,
    template: Path | None,
    write_template: Path | None,
    max_array: int | None,
    dry_run: bool,
    **settings: Any,
) -> None:
    """Submit the rows of a sweep as a job array.

    DESIGN is the design file, or the sweep's folder. Each task trains one row; one that reaches its walltime saves,
    and goes on later. Script, job id and output are kept in the sweep's folder, in submissions/.
    """
    if write_template is not None:
        with in_sentences():
            click.echo(f"template  {_written(scheduler, template, write_template)}")
        return
    if settings["walltime"] is None:
        raise click.UsageError("Missing option '--walltime': a task must know when to save and end.")

    from unetdyn.sweeps.lookup import find_sweep
    from unetdyn.sweeps.schedulers import submit as submitting
    from unetdyn.sweeps.schedulers.ranges import rows_of, text_of
    from unetdyn.sweeps.schedulers.settings import JobSettings

    with in_sentences():
        asked = JobSettings(**settings)
        sweep = find_sweep(design)
        if rows is not None:
            chosen = rows_of(rows, len(sweep.rows))
        else:
            queued = submitting.in_queues(sweep)
            for job, theirs in queued.items():
                click.echo(printable(f"Rows {text_of(theirs)} wait or run in job {job} already."))
            chosen = submitting.unfinished(sweep, queued)
        if not chosen:
            click.echo("Nothing to submit. `unetdyn sweep status` says how the rows are.")
            return
        more: dict[str, Any] = {"template": template, "max_array": max_array}
        if dry_run:
            for ready in submitting.jobs_of(sweep, submitting.scheduler_named(scheduler), asked, chosen, **more):
                click.echo(f"{printable(ready.script)}\n$ {' '.join(ready.command)}")
            return
        for each in submitting.submit(sweep, scheduler, asked, chosen, **more):
            click.echo(printable(f"job {each.job}  rows {text_of(each.rows)}  {each.path}"))


def _written(scheduler: str, template: Path | None, file: Path) -> Path:
    from unetdyn.runs.atomic import create
    from unetdyn.sweeps.schedulers.script import template_of
    from unetdyn.sweeps.schedulers.submit import scheduler_named

    try:
        create(file, template_of(scheduler_named(scheduler), template).text)
    except FileExistsError:
        raise FileExistsError(f"--write-template must name a new file. Received: {file}, which is there.") from None
    except FileNotFoundError:
        raise FileNotFoundError(
            f"--write-template must name a file in a folder that is there. Received: {file}."
        ) from None
    return file
