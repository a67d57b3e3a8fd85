"""The figures of a separator as tables for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["print_report"]

_Figures = Mapping[str, Any]


def _interval(values: Mapping[str, float | None], digits: int) -> str:
    if values["median"] is None:
        return ""
    return "{median:.{d}f} ({p16:.{d}f}, {p84:.{d}f})".format(d=digits, **values)


def _median(values: Mapping[str, float | None], digits: int = 2) -> str:
    return "" if values["median"] is None else f"{values['median']:.{digits}f}"


def _table(title: str, *heads: str) -> Table:
    return Table(*(escape(head) for head in heads), title=escape(title), title_justify="left")


def _classes(report: _Figures) -> Table:
    """Classes above their thresholds; the oracle is that of the class's best window."""
    heads = ("SNR", "n", "NSDR [dB]", "match", "recovered", "oracle [dB]")
    table = _table("Stems against the injected ones: median (16 %, 84 %)", "class", *heads)
    for kind, figures in report["classes"].items():
        parts = [("all", figures)]
        parts += [(f"> {part['snr_min']:g}", part) for part in _headlines(figures)]
        for name, part in parts:
            table.add_row(
                kind,
                name,
                str(part["n"]),
                _interval(part["nsdr_db"], 1),
                _interval(part["match"], 3),
                _median(part["recovered"], 3),
                _median(part["oracle_best_nsdr_db"]),
            )
        table.add_section()
    return table


def _headlines(figures: _Figures) -> list[_Figures]:
    return figures["thresholds"] or [figures["above"]]


def _bins(report: _Figures) -> Table:
    heads = ("SNR", "n", "NSDR [dB]", "match", "recovered", "oracle [dB]")
    table = _table("By SNR, medians", "class", *heads)
    for kind, figures in report["classes"].items():
        for part in figures["by_snr"]:
            high = part["snr_max"]
            limits = f"{part['snr_min']:g} to {high:g}" if high else f"> {part['snr_min']:g}"
            table.add_row(
                kind,
                limits,
                str(part["n"]),
                _median(part["nsdr_db"]),
                _median(part["match"], 3),
                _median(part["recovered"], 3),
                _median(part["oracle_best_nsdr_db"]),
            )
        table.add_section()
    return table


def _baselines(report: _Figures) -> Table:
    classes = report["classes"]
    windows = {int(name) for part in classes.values() for name in part["oracle_windows"]}
    table = _table("Baselines, median NSDR [dB]; * the best window", "", *classes)
    table.add_row("silence", *["0.00"] * len(classes))
    table.add_row("mixture", *(_median(part["mixture_nsdr_db"]) for part in classes.values()))
    table.add_row("Wiener", *(_median(part["wiener_nsdr_db"]) for part in classes.values()))
    for window in sorted(windows):
        cells = (_oracle_cell(part, window) for part in classes.values())
        table.add_row(f"oracle {window}", *cells)
    table.add_row(
        "SNR²/parameters", *(_median(part["bound_nsdr_db"]) for part in classes.values())
    )
    table.add_row("separator", *(_median(part["nsdr_db"]) for part in classes.values()))
    return table


def _oracle_cell(part: _Figures, window: int) -> str:
    values = part["oracle_windows"].get(str(window))
    if values is None:
        return ""
    return _median(values) + (" *" if window == part["oracle_best_window"] else "")


def _leakage(report: _Figures) -> Table:
    leakage = report["leakage"]
    stems = list(dict.fromkeys([*leakage, *(into for row in leakage.values() for into in row)]))
    table = _table("Share of a class's energy [%] by stem, median (84 %)", "class", *stems)
    for kind, row in leakage.items():
        cells = []
        for stem in stems:
            own = report["classes"][kind]["kept"] if stem == kind else None
            values = own or (row[stem]["energy"] if stem in row else {"median": None})
            known = values["median"] is not None
            cells.append(
                f"{100 * values['median']:.3g} ({100 * values['p84']:.3g})" if known else ""
            )
        table.add_row(kind, *cells)
    return table


def _sentences(report: _Figures) -> Iterator[str]:
    for kind, figures in report["classes"].items():
        absent = figures["absent"]
        if absent["n"]:
            yield (
                f"{kind} absent in {absent['n']}: filled with SNR "
                f"{_interval(absent['filled_snr'], 1)}, {absent['wrongly_filled']} above "
                f"{absent['snr_limit']:g}; rms above {absent['rms_limit']:g} in "
                f"{100 * absent['share_above_rms']:.0f} %"
            )
    for name, part in report.get("residual", {}).items():
        if isinstance(part, dict):
            yield (
                f"{name}: variance {_interval(part['variance'], 3)}, reduced χ² of band powers "
                f"{_interval(part['chi2'], 2)}, white in {100 * part['share_white']:.0f} %"
            )
    mean, oracle = report["mean_class_nsdr_db"], report["oracle_mean_class_nsdr_db"]
    if mean is not None:
        beside = "" if oracle is None else f" (best oracles {oracle:.2f} dB)"
        yield f"mean over classes of the median NSDR: {mean:.2f} dB{beside}"
    if (one := report["oracle_one_window"]) is not None:
        yield (
            f"the best oracle with one window for all classes ({one['window']} samples): "
            f"{one['mean_class_nsdr_db']:.2f} dB"
        )


def print_report(report: _Figures) -> None:
    """Print tables of a report (`gwiness.evaluate.figures.report`)."""
    console = Console()
    tables = [_classes(report), _bins(report), _baselines(report)]
    if report["leakage"]:
        tables.append(_leakage(report))
    for table in tables:
        console.print(table)
    for sentence in _sentences(report):
        console.print(escape(sentence))
