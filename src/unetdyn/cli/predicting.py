"""The command that applies a model to images."""

from pathlib import Path
from typing import Any

import click

from unetdyn import runs
from unetdyn.cli.applying import Threshold, ending_in_a_sentence, options_of_predicting
from unetdyn.cli.backend import take_backend_of
from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import in_sentences, printable

REDUCTIONS = ("threshold", "argmax", "probabilities", "logits")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", required=True, type=click.Path(path_type=Path), help="Folder or file to write.")
@options_of_predicting
@click.option("--reduce", type=click.Choice(REDUCTIONS), help="What is written; masks by default.")
@click.option(
    "--threshold",
    type=Threshold(),
    default=0.5,
    show_default=True,
    help="Above it a probability is object; `best` is the one that `unetdyn evaluate` chose on validation.",
)
@click.option("--overwrite", is_flag=True, help="Replace what is there, once the new one is complete.")
def predict(
    run: Path,
    images: Path,
    out: Path,
    reduce: str | None,
    threshold: float | str,
    overwrite: bool,
    **options: Any,
) -> None:
    """Predict IMAGES with the model of a RUN, and write masks of the same names, sizes and resolution.

    RUN is a run directory, or a .keras file of any model. IMAGES is a folder of images, of which a folder of masks is
    made, or a stack or a volume in one file, of which a .tif, .npy, .zarr, .nii or .mrc file is made. Images are made
    ready as they were for the training. Beside the masks, NAME.sheet.png shows a few of them. What was ended before its
    end goes on with the same command.
    """
    with in_sentences():
        take_backend_of(run)
        at = _threshold(run, threshold)
    with quiet_stderr():
        from unetdyn.experiment.applied import Applied
        from unetdyn.experiment.contact_sheet import sheet_beside, write_sheet
        from unetdyn.experiment.predicted import Wanted, predict_files
    loaded: list[Applied] = []

    def load() -> Applied:
        loaded.append(Applied.load(run, **options, progress=True))
        return loaded[0]

    with ending_in_a_sentence("The same command carries on."):
        wanted = Wanted(reduce, at, overwrite)
        written = predict_files(load, images, out, wanted)
        click.echo(
            printable(f"masks    {written}" if reduce in (None, "threshold", "argmax") else f"written  {written}")
        )
        sheet = write_sheet(loaded[0], images, sheet_beside(out), wanted)
        click.echo(printable(f"picture  {sheet}"))


def _threshold(run: Path, threshold: float | str) -> float:
    if not isinstance(threshold, str):
        return threshold
    from unetdyn.evaluation.run_evaluation import evaluation_of

    found = evaluation_of(runs.open(run)) if run.is_dir() else None
    if found is None or found.threshold_from != "validation":
        raise ValueError(
            f"--threshold best is the one that was chosen on validation. Received: {run}, which has none: "
            "run `unetdyn evaluate` first, or give a number."
        )
    return found.found.threshold
