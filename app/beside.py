"""Results beside a data file: what the command line has made of it is shown, not made again.

``NAME-result.h5`` beside ``NAME.h5`` is looked at, and ``NAME-item3-result.h5`` for item 3: the
names that downloads of this page have. They count only for the very file that they were made
from, read in the same way.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.state import FileKey
from gwiness import store
from gwiness.config.galactic import GalacticConfig
from gwiness.core.errors import GwinessError
from gwiness.io.result_header import ResultHeader
from gwiness.io.results import ResultFile

__all__ = ["Beside", "beside", "beside_all", "path_beside"]

_MAX_KEPT = 64


@dataclass(frozen=True)
class Beside:
    """A result that lies beside the file on show.

    Arguments:
        path: The result.
        header: What made it; None if it is not to be used.
        created: When, ISO 8601.
        changed: When the file was last changed [ns].
        model: What separated, if something did.
        separations: Items with streams.
        posteriors: Items with posteriors.
        catalogues: Items with sources found.
        problem: Why it is not to be used, in a sentence.
    """

    path: Path
    header: ResultHeader | None = None
    created: str = ""
    changed: int = 0
    model: str = ""
    separations: frozenset[int] = frozenset()
    posteriors: frozenset[int] = frozenset()
    catalogues: frozenset[int] = frozenset()
    problem: str = ""

    @property
    def origin(self) -> str:
        """Its name, and what made it when, to be read."""
        version = "" if self.header is None else self.header.version
        return f"{self.path.name} (gwiness {version}, {self.created[:10]})"

    def separated_by(self, model: str) -> frozenset[int]:
        """Items that a model, with the weights that are installed, has separated."""
        return self.separations if self.model == model and self._is_current(model) else frozenset()

    def inferred_by(self, model: str) -> frozenset[int]:
        """Sinusoid items whose posterior a model has inferred and the likelihood refined."""
        settings = {} if self.header is None else self.header.settings
        fits = settings.get("posterior") == model and settings.get("refine") is True
        return self.posteriors if fits and self._is_current(model) else frozenset()

    def searched(self, data: str, model: str | None, noise: str) -> frozenset[int]:
        """Items all of whose bands have been searched for binaries in such data."""
        settings = {} if self.header is None else self.header.settings
        galactic = settings.get("galactic")
        if not isinstance(galactic, dict) or settings.get("passes") is not None:
            return frozenset()
        whole = galactic.get("band_hz") == list(GalacticConfig().band_hz)
        same = (galactic.get("data"), galactic.get("noise")) == (data, noise)
        current = model is None or (settings.get("separator") == model and self._is_current(model))
        return self.catalogues if whole and same and current else frozenset()

    def _is_current(self, model: str) -> bool:
        """Whether a model's weights are those that are installed."""
        return self.header is not None and self.header.weights(model) == _weights(model)


def path_beside(path: str, index: int | None = None) -> Path:
    """Where a result of a data file, or of one of its items, is looked for.

    Example:
        >>> path_beside("data/a.h5", 3).name
        'a-item3-result.h5'
    """
    file = Path(path)
    item = "" if index is None else f"-item{index}"
    return file.with_name(f"{file.stem}{item}-result.h5")


def beside(key: FileKey, index: int) -> list[Beside]:
    """Results that may hold something of an item of a file."""
    return [found for found in _look(key, None, index) if not found.problem]


def beside_all(key: FileKey) -> list[Beside]:
    """Results of a whole file; also those that are not to be used, and why."""
    return _look(key, None)


def _look(key: FileKey, *which: int | None) -> list[Beside]:
    found: list[Beside] = []
    for index in which if not key.more else ():
        path = path_beside(key.path, index)
        try:
            facts = path.lstat()
        except OSError:
            continue
        # A link may lead out of the data directories.
        if not path.is_symlink():
            found.append(_read(path, facts.st_size, facts.st_mtime_ns, key))
    return found


@lru_cache(_MAX_KEPT)
def _read(path: Path, size: int, modified: int, key: FileKey) -> Beside:
    del size  # of the result: a changed one is read anew
    try:
        with ResultFile(path) as result:
            header = result.header
            if not header.is_of(Path(key.path), key.options):
                raise GwinessError(f"{path.name} was made from another file, or of other items.")
            return Beside(
                path,
                header,
                result.created,
                modified,
                result.model,
                frozenset(result.items),
                frozenset(result.posterior_items),
                frozenset(result.catalogue_items),
            )
    except (GwinessError, OSError) as error:
        return Beside(path, problem=str(error))


@lru_cache(_MAX_KEPT)
def _weights_of(card: Path, modified: int) -> str:
    del modified
    return store.read_card(card.parent).sha256


def _weights(model: str) -> str | None:
    """SHA-256 of the installed weights of a model."""
    card = store.MODELS / model / "card.toml"
    try:
        return _weights_of(card, card.stat().st_mtime_ns)
    except (GwinessError, OSError):
        return None
