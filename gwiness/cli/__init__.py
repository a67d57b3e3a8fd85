"""The command line: ``gwiness <verb>``. Data to stdout, messages to stderr.

Exit codes: 0 done; 1 one sentence says what is wrong; 2 wrong usage. Verbs import what they need
when they are called, so that ``--help`` needs neither torch nor a waveform library.
"""

import errno
import os
import sys

import typer

from gwiness import __version__
from gwiness.cli import models
from gwiness.cli.analyse import analyse, infer, separate
from gwiness.cli.benchmark import separator, train_peer
from gwiness.cli.benchmark_app import dashboard as benchmark_app
from gwiness.cli.benchmark_galactic import galactic as benchmark_galactic
from gwiness.cli.benchmark_galactic import response as benchmark_response
from gwiness.cli.benchmark_playback import playback as benchmark_playback
from gwiness.cli.benchmark_sessions import sessions as benchmark_sessions
from gwiness.cli.benchmark_slotflow import slotflow as benchmark_slotflow
from gwiness.cli.compile import compile_searches
from gwiness.cli.dashboard import dashboard
from gwiness.cli.evaluate_galactic import galactic
from gwiness.cli.evaluate_separation import separation
from gwiness.cli.evaluate_slotflow import slotflow
from gwiness.cli.inspect import inspect
from gwiness.cli.listen import listen
from gwiness.cli.report import report
from gwiness.cli.simulate import simulate
from gwiness.cli.train import train_posterior, train_separator
from gwiness.cli.tune import tune_posterior, tune_separator
from gwiness.core.errors import GwinessError

__all__ = ["app", "main"]

app = typer.Typer(
    name="gwiness",
    help="See overlapping LISA sources come apart, and trust each posterior.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # As rich's own markup, the unit in "Frequencies [mHz]" would be a style.
    rich_markup_mode="markdown",
)
train = typer.Typer(help="Train a network; resumes where its run folder left off.")
tune = typer.Typer(help="Search hyper-parameters; each trial is a training run.")
evaluate = typer.Typer(help="Compare a model's answers with injected truth.")
benchmarks = typer.Typer(help="Speed and quality beside a peer's, in one run.")

app.command()(inspect)
app.command()(simulate)
app.command()(separate)
app.command()(infer)
app.command()(analyse)
app.command()(listen)
app.command()(report)
app.command("compile")(compile_searches)
app.command("app")(dashboard)
train.command("separator")(train_separator)
train.command("posterior")(train_posterior)
tune.command("separator")(tune_separator)
tune.command("posterior")(tune_posterior)
evaluate.command("separation")(separation)
evaluate.command("slotflow")(slotflow)
evaluate.command("galactic")(galactic)
benchmarks.command("app")(benchmark_app)
benchmarks.command("separator")(separator)
benchmarks.command("galactic")(benchmark_galactic)
benchmarks.command("response")(benchmark_response)
benchmarks.command("slotflow")(benchmark_slotflow)
benchmarks.command("playback")(benchmark_playback)
benchmarks.command("sessions")(benchmark_sessions)
benchmarks.command("train-peer")(train_peer)
for group in (train, tune, evaluate, benchmarks):
    group.info.no_args_is_help = True
app.add_typer(train, name="train")
app.add_typer(tune, name="tune")
app.add_typer(evaluate, name="evaluate")
app.add_typer(benchmarks, name="benchmark")
app.add_typer(models.app, name="models")


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        print(f"gwiness {__version__}")
        raise typer.Exit


_FULL = "the disk has no room; free some of it, or write to another one"
_CLOSED = "it may not be read or written; choose another place, or change its permissions"
_OF_THE_DISK = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
}
"""What the user can do about an error of the system that is no fault of the program."""


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        app(prog_name="gwiness")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except GwinessError as error:
        print(f"gwiness: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        # Not the error's own text: that of HDF5 has several lines.
        place = f"{error.filename}: " if error.filename else ""
        reason = f"{_OF_THE_DISK[error.errno]} ({os.strerror(error.errno)})."
        print(f"gwiness: {place}{reason}", file=sys.stderr)
        return 1
    return 0
