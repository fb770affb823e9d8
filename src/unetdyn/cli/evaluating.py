"""The command that scores a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unetdyn.cli.applying import Threshold, ending_in_a_sentence, options_of_predicting
from unetdyn.cli.backend import take_backend_of
from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import in_sentences, printable

if TYPE_CHECKING:
    from unetdyn.evaluation.run_evaluation import RunEvaluation

WORST = 3
"""Sections that are named."""


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("--images", help="Name of the images in DATA, `images` by default; without DATA, the file of a volume.")
@click.option("--masks", help="Name of the masks in DATA, `masks` by default; without DATA, the file of a volume.")
@click.option("--split", type=click.Choice(["test", "validation"]), help="Instead of DATA, a part of the run's own.")
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), help="File; evaluation.json in the run.")
@options_of_predicting
@click.option(
    "--threshold",
    type=Threshold(),
    default="best",
    show_default=True,
    help="`best` on the run's validation sections, never on those that are evaluated; 0.5 where there are none.",
)
@click.option("--spacing", type=float, help="Distance of pixels in the images' files, for distances; as they say it.")
@click.option("--unit", default="nm", show_default=True, help="Of --spacing and --tolerance.")
@click.option("--tolerance", type=float, help="Within which a surface counts as right: also write NSD.")
@click.option("--objects", is_flag=True, help="Also score objects: F1, PQ, splits, merges.")
@click.option("--ignore-label", type=float, help="Value in the masks of DATA that does not count.")
@click.option("--foreground", type=click.Choice(["nonzero"]), help="For masks with numbers of objects.")
@click.option("--class", "label", type=click.IntRange(min=0), help="The object's class, of a model of several.")
def evaluate(
    run: Path,
    data: Path | None,
    images: str | None,
    masks: str | None,
    split: str | None,
    out: Path | None,
    threshold: float | str,
    ignore_label: float | None,
    foreground: str | None,
    **options: Any,
) -> None:
    """Score the model of a RUN on DATA: overlap, boundary, calibration, each with an interval over sections.

    RUN is a run directory, or a .keras file of any model. DATA is a folder that holds images and masks. Without it, the
    test sections of the run's own configuration are evaluated, or its validation sections where it has none. The
    threshold is the best on validation. `unetdyn report RUN` shows what was found.
    """
    with in_sentences():
        take_backend_of(run)
        _check(run, data, images, masks, split, out)
    with quiet_stderr():
        from unetdyn.evaluation.run_evaluation import write_run_evaluation
        from unetdyn.experiment.applied import Applied
        from unetdyn.experiment.evaluated import Scoring, evaluate_model
        from unetdyn.experiment.evaluated_data import Named
    named: Any = split
    if data is not None or images is not None:
        named = Named(data, images or "images", masks or "masks", ignore_label, foreground)  # type: ignore[arg-type]
    with ending_in_a_sentence("Nothing is kept of an evaluation that did not end."):
        known = ("spacing", "unit", "tolerance", "objects", "label")
        scored = {name: options.pop(name) for name in known}
        scoring = Scoring(threshold=None if isinstance(threshold, str) else threshold, **scored)
        found = evaluate_model(Applied.load(run, **options, progress=True), run, named, scoring, _tell)
        target = out if out is not None else run / "evaluation.json" if run.is_dir() else None
        click.echo(printable(table(found)))
        if target is not None:
            write_run_evaluation(found, target)
            click.echo(printable(f"written        {target}"))


def table(found: "RunEvaluation") -> str:
    """A few lines: what was evaluated, at which threshold, each score with interval and n, and the worst sections.

    Args:
        found: The evaluation.
    """
    worst = found.found.worst(WORST)
    named = ", ".join(f"{section.name} ({section.pixels.jaccard:.3f})" for section in worst)
    rows = [row for row in found._rows() if row[0] not in ("worst section", "best threshold")]
    rows.append(("worst sections", named or "none has a score"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in rows)


def _tell(sentence: str) -> None:
    click.echo(printable(sentence), err=True)


def _check(
    run: Path, data: Path | None, images: str | None, masks: str | None, split: str | None, out: Path | None
) -> None:
    """Refuse what does not go together, before anything is loaded."""
    files = images is not None or masks is not None
    if data is None and files and (images is None or masks is None):
        raise ValueError("--images and --masks must both be files where DATA is left out. Received: one of them.")
    if split is not None and (data is not None or files):
        raise ValueError(
            "--split is a part of the run's own data. Received: other data as well; leave one of them out."
        )
    if run.is_file() and data is None and not files:
        raise ValueError(f"DATA must be said for a .keras file, which has no data of its own. Received: {run} alone.")
    if out is not None and (out.suffix.lower() != ".json" or not out.parent.is_dir()):
        raise ValueError(f"-o must be a file that ends in .json, in a folder that is there. Received: {out}.")
