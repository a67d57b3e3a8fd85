"""Studies of hyper-parameters in Optuna's storage, read without writing to them.

The importance of hyper-parameters is Optuna's own, from Optuna's own evaluator.
"""

import tomllib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gwiness.core.errors import FileProblem
from gwiness.core.study import Importance, Study, Trial

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

__all__ = ["find_studies", "read_studies", "read_study"]

_QUANTILE = 0.25
"""Best part of the trials, for a study that does not say."""


def find_studies(root: Path) -> list[Path]:
    """Every ``study.db`` below ``root``, the latest first."""
    found = [path for path in root.glob("**/study.db") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def read_studies(path: Path) -> list[Study]:
    """The studies of a SQLite file.

    Raises:
        FileProblem: If it is none of Optuna's.
    """
    return _read(f"sqlite:///file:{path.resolve()}?mode=ro&uri=true", None, path.name)


def read_study(url: str, name: str) -> Study:
    """One study of a storage.

    Raises:
        FileProblem: If it cannot be read.
    """
    return _read(url, name, url)[0]


def _read(url: str, name: str | None, place: str) -> list[Study]:
    try:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise FileProblem(
            f"{place}: reading a study needs Optuna: pip install optuna ({error})."
        ) from error
    # An open storage per reading, and no pool: a page that polls must not hold the file.
    from sqlalchemy.pool import NullPool

    storage = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            storage = optuna.storages.RDBStorage(
                url, engine_kwargs={"poolclass": NullPool}, skip_table_creation=True
            )
            names = [name] if name is not None else optuna.get_all_study_names(storage)
            return [_study(optuna.load_study(study_name=each, storage=storage)) for each in names]
    except (SQLAlchemyError, optuna.exceptions.OptunaError, KeyError, RuntimeError) as error:
        first = str(error).split("\n")[0]
        raise FileProblem(f"{place}: this is no study that Optuna can read ({first}).") from error
    finally:
        if storage is not None:
            storage.remove_session()


def _study(found: "optuna.Study") -> Study:
    from optuna.study import StudyDirection

    facts = found.user_attrs
    trials = found.get_trials(deepcopy=False)
    distributions = {name: each for trial in trials for name, each in trial.distributions.items()}
    return Study(
        name=found.study_name,
        objective=str(facts.get("objective", "value")),
        maximise=found.direction == StudyDirection.MAXIMIZE,
        trials=tuple(_trial(trial) for trial in trials),
        logarithmic=frozenset(
            name for name, each in distributions.items() if getattr(each, "log", False)
        ),
        importance=_importance(found, facts),
        text=str(facts.get("text", "")),
        config=str(facts.get("config", "")),
    )


def _trial(trial: "FrozenTrial") -> Trial:
    curve = tuple(sorted(trial.intermediate_values.items()))
    state = trial.state.name.lower()
    value = trial.value if state == "complete" else None
    if value is None and curve:
        value = curve[-1][1]
    duration = trial.duration
    return Trial(
        number=trial.number,
        state="failed" if state == "fail" else state,
        value=value,
        params=dict(trial.params),
        curve=curve,
        started=trial.datetime_start.timestamp() if trial.datetime_start else None,
        minutes=duration.total_seconds() / 60 if duration is not None else None,
        folder=str(trial.user_attrs.get("folder", "")),
        steps=trial.user_attrs.get("steps", curve[-1][0] if curve else None),
    )


def _importance(found: "optuna.Study", facts: dict[str, Any]) -> Importance | None:
    """PED-ANOVA of the complete trials: it needs no surrogate, hence few trials."""
    import optuna
    from optuna.trial import TrialState

    num = len(found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    if num < 2:
        return None
    quantile = _quantile(facts)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    values = optuna.importance.get_param_importances(found, evaluator=evaluator)
    method = f"PED-ANOVA of the best {100 * quantile:g} %, Optuna {optuna.__version__}"
    return Importance(method, dict(values), num)


def _quantile(facts: dict[str, Any]) -> float:
    try:
        return float(tomllib.loads(str(facts["config"]))["target_quantile"])
    except (KeyError, ValueError):
        return _QUANTILE
