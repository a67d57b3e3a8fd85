"""``gwiness benchmark separator|train-peer``: ours beside the official SCNet, in one run."""

from pathlib import Path
from typing import Annotated

import typer

from gwiness.cli.options import Json, json_text
from gwiness.core.errors import FileProblem, GwinessError

__all__ = ["separator", "train_peer"]

_Peer = Annotated[
    Path | None, typer.Option(help="Checkout of the official SCNet, the peer; never installed.")
]
_Threads = Annotated[int, typer.Option(min=1, help="Threads of torch on the CPU.")]
_Banks = Annotated[
    Path | None, typer.Option(help="Folder of the banks; else $GWINESS_BANKS or the cache.")
]


def separator(
    model: Annotated[str, typer.Option(help="Checkpoint, see `gwiness models list`.")] = (
        "scnet-lisa"
    ),
    fast_model: Annotated[
        str | None, typer.Option(help="A faster checkpoint to put beside it.")
    ] = None,
    peer: _Peer = None,
    peer_weights: Annotated[
        Path | None,
        typer.Option(help="weights.safetensors of `train-peer`; without, its speed only."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Mixtures with truth; else the sample data.")
    ] = None,
    items: Annotated[int, typer.Option(min=0, help="Items to score; 0 for all.")] = 0,
    out_of_distribution: Annotated[
        int, typer.Option(min=0, help="Items of each case outside the training law (needs banks).")
    ] = 0,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Score ideal ratio masks at nine windows, too (slow)."),
    ] = False,
    threads: _Threads = 2,
    workers: Annotated[int, typer.Option(min=1, help="Processes that score items.")] = 1,
    save: Annotated[
        Path | None,
        typer.Option(help="Keep the scores of items done here (.jsonl), and go on from them."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of the timing.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the cases outside the law.")] = 20262,
    models: Annotated[Path | None, typer.Option(help="Folder of checkpoints.")] = None,
    banks: _Banks = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the comparison in the model's card.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Speed, memory and separation of a checkpoint, beside the official SCNet.

    Ctrl-C ends the current part; what was measured by then is printed.
    """
    from gwiness import store
    from gwiness.cli.benchmark_parts import Request, measure_all
    from gwiness.cli.benchmark_tables import print_tables
    from gwiness.evaluate.benchmark import card_rows
    from gwiness.io.formats import open_recording

    path = file or store.MODELS.parent / "sample_data" / "lisa-sample.h5"
    if not path.is_file():
        raise FileProblem(f"{path} is not there; name a file of mixtures with --file.")
    if save is not None and not save.parent.is_dir():
        raise FileProblem(f"--save {save}: there is no folder {save.parent}.")
    request = Request(
        file=path,
        model=model,
        fast=fast_model,
        peer=peer,
        peer_weights=peer_weights,
        models=models or store.MODELS,
        banks=banks,
        threads=threads,
        repeats=repeats,
        items=items,
        scenarios=out_of_distribution,
        baselines=baselines,
        seed=seed,
        workers=workers,
        save=save,
    )
    if peer is None:
        if peer_weights is not None:
            raise GwinessError("--peer-weights needs the network they belong to: give --peer.")
        typer.echo(_no_peer(), err=True)
    with open_recording([path]) as recording:
        figures = measure_all(request, recording)
    if record and figures["complete"]:
        store.record(request.models / model, card_rows(figures))
    if as_json:
        print(json_text(figures))
    else:
        print_tables(figures)


def _no_peer() -> str:
    from gwiness.separate.peer import PEER_URL

    return f"The official SCNet is left out: git clone {PEER_URL} and give its folder with --peer."


def train_peer(
    peer: Annotated[Path, typer.Option(help="Checkout of the official SCNet.")],
    run: Annotated[
        Path, typer.Option("--run", help="Run folder; an interrupted run goes on there.")
    ],
    minutes: Annotated[float, typer.Option(min=0.01, help="Length of the training.")] = 150.0,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps at most.")] = None,
    config: Annotated[
        str, typer.Option(help="Preset or TOML file: law of the mixtures, whitening, stems.")
    ] = "separator-scnet",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: key=value.")
    ] = None,
    banks: _Banks = None,
    threads: _Threads = 1,
    as_json: Json = False,
) -> None:
    """Train the official SCNet on the mixtures that our separators learn from."""
    import torch

    from gwiness.config.separator import SeparatorConfig
    from gwiness.io.bank import default_folder
    from gwiness.separate.peer import load_peer
    from gwiness.train.peer import peer_config
    from gwiness.train.peer import train_peer as train

    base = SeparatorConfig.load(config, set_ or [])
    settings = peer_config(base, minutes, steps, threads)
    torch.manual_seed(settings.run.seed)
    network = load_peer(peer, settings.kinds, len(settings.channels))
    result = train(network, settings, banks or default_folder(), run)
    facts = {
        "weights": str(run / "weights.safetensors"),
        "steps": result.steps,
        "minutes": result.minutes,
        "best_valid_nsdr_db": result.best,
    }
    text = f"{run}: {result.steps} steps in {result.minutes:.1f} minutes, best {result.best} dB"
    print(json_text(facts) if as_json else text)
