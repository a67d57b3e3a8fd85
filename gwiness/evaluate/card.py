"""What a model's card keeps of a report on separation."""

from collections.abc import Mapping, Sequence
from typing import Any

from gwiness.evaluate.scores import ItemScores

__all__ = ["card_metrics", "item_metrics"]


def card_metrics(figures: Mapping[str, Any], test_set: str) -> dict[str, Any]:
    """Headline figures with their 68 % range, as tables of numbers.

    Arguments:
        figures: From `gwiness.evaluate.figures.report`.
        test_set: What was measured on.

    Returns:
        ``<kind>`` above the headline SNR, ``<kind>_above_<SNR>`` above the others, ``<kind>_all``,
        ``<kind>_absent``; ``baselines``, ``leakage`` (median share by class and stem) and
        ``residual``; and the means over classes and items.
    """
    metrics: dict[str, Any] = {"test_set": test_set}
    for name in ("mean_class_nsdr_db", "mean_nsdr_db"):
        if figures.get(name) is not None:
            metrics[name] = round(figures[name], 4)
    for kind, values in figures["classes"].items():
        metrics |= _class_rows(kind, values)
    tables = {
        "baselines": _baselines(figures["classes"])
        | _one_window(figures.get("oracle_one_window")),
        "leakage": _leakage(figures.get("leakage", {})),
        "residual": _residual(figures.get("residual", {})),
    }
    return metrics | {name: table for name, table in tables.items() if table}


def item_metrics(scores: Sequence[ItemScores], first: int = 0) -> dict[str, float]:
    """NSDR of every stem of every item [dB], so that anyone with the file can check the card.

    Arguments:
        scores: Of consecutive items.
        first: Number of the first.

    Returns:
        ``item<number>_<kind>_nsdr_db``; absent classes have none.
    """
    return {
        f"item{number}_{score.kind}_nsdr_db": round(score.nsdr, 3)
        for number, item in enumerate(scores, start=first)
        for score in item
        if score.snr > 0
    }


def _class_rows(kind: str, values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    headline = values["above"]
    parts = {kind: headline}
    for part in values.get("thresholds", []):
        if part["snr_min"] != headline["snr_min"]:
            parts[f"{kind}_above_{part['snr_min']:g}"] = part
    parts[f"{kind}_all"] = values
    rows = {name: _row(part) for name, part in parts.items() if part["n"]}
    absent = values["absent"]
    if absent["n"]:
        row = {"n": float(absent["n"])}
        row |= {
            f"filled_snr_{level}": round(value, 3) for level, value in absent["filled_snr"].items()
        }
        row["share_above_rms"] = round(absent["share_above_rms"], 4)
        row["wrongly_filled"] = float(absent["wrongly_filled"])
        rows[f"{kind}_absent"] = row
    return rows


def _row(part: Mapping[str, Any]) -> dict[str, float]:
    row = {"n": float(part["n"]), "snr_min": float(part.get("snr_min", 0.0))}
    for quantity in ("nsdr_db", "match"):
        known = {level: value for level, value in part[quantity].items() if value is not None}
        row |= {f"{quantity}_{level}": round(value, 4) for level, value in known.items()}
    for name in ("recovered", "oracle_best_nsdr_db"):
        if part[name]["median"] is not None:
            row[f"{name}_median"] = round(part[name]["median"], 4)
    interval = part["median_68"]["nsdr_db"]
    if interval is not None:
        row |= {
            f"nsdr_db_median_{end}": round(value, 4)
            for end, value in zip(("low", "high"), interval, strict=True)
        }
    return row


def _baselines(classes: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    table: dict[str, float] = {}
    for kind, values in classes.items():
        for name in ("oracle_best", "wiener", "bound"):
            median = values[f"{name}_nsdr_db"]["median"]
            if median is not None:
                table[f"{kind}_{name}_db"] = round(median, 4)
        if values["oracle_best_window"] is not None:
            table[f"{kind}_oracle_best_window"] = float(values["oracle_best_window"])
    return table


def _one_window(values: Mapping[str, Any] | None) -> dict[str, float]:
    if values is None:
        return {}
    return {
        "one_window": float(values["window"]),
        "one_window_mean_class_db": round(values["mean_class_nsdr_db"], 4),
    }


def _leakage(table: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {
        f"{kind}_in_{into}": round(leak["energy"]["median"], 6)
        for kind, stems in table.items()
        for into, leak in stems.items()
        if leak["energy"]["median"] is not None
    }


def _residual(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{stream}_{name}": round(values[stream][name]["median"], 4)
        for stream in ("residual", "noise")
        if stream in values
        for name in ("variance", "chi2")
    }
