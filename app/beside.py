"""Results beside a data file: what the command line has made of it is shown, not made again.

``NAME-result.h5`` beside ``NAME.h5`` is looked at, and ``NAME-item3-result.h5`` for item 3: the
names that downloads of this page have. They count only if they were made from a file of the same
size and first MiB, read in the same way, by the models that are installed, with the settings that
the page itself has.
"""

import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.state import FileKey, short_path
from app.uploads import uploads
from gwiness.config.analysis import AnalysisConfig
from gwiness.config.galactic import GalacticConfig, GalacticData, GalacticNoise
from gwiness.core.errors import GwinessError
from gwiness.io.result_header import ResultHeader
from gwiness.io.results import ResultFile

__all__ = ["Beside", "beside", "beside_all", "free_path", "path_beside"]

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
        """Items that a model has separated."""
        fits = self.model == model and self._has("passes", None) and self._is_current(model)
        return self.separations if fits else frozenset()

    def inferred_by(self, model: str) -> frozenset[int]:
        """Sinusoid items whose posterior a model has inferred and the likelihood refined."""
        usual = AnalysisConfig(posterior=model)
        names = ("posterior", "refine", "num_samples", "seed")
        fits = all(self._has(name, getattr(usual, name)) for name in names)
        return self.posteriors if fits and self._is_current(model) else frozenset()

    def searched(
        self, data: GalacticData, model: str | None, noise: GalacticNoise
    ) -> frozenset[int]:
        """Items all of whose bands have been searched for binaries in such data."""
        wanted = GalacticConfig(data=data, noise=noise).model_dump(mode="json")
        fits = self._has("galactic", wanted) and self._has("passes", None)
        if model is not None:
            fits = fits and self._has("separator", model) and self._is_current(model)
        return self.catalogues if fits else frozenset()

    def _has(self, name: str, value: object) -> bool:
        """Whether a setting has this value; TOML leaves out what is None."""
        return self.header is not None and self.header.settings.get(name) == value

    def _is_current(self, model: str) -> bool:
        """Whether a model's weights are those that are installed."""
        made = None if self.header is None else self.header.weights.get(model)
        return made is not None and made == _weights(model)


def path_beside(path: str, index: int | None = None) -> Path:
    """Where a result of a data file, or of one of its items, is looked for.

    Example:
        >>> path_beside("data/a.h5", 3).name
        'a-item3-result.h5'
    """
    file = Path(path)
    item = "" if index is None else f"-item{index}"
    return file.with_name(f"{file.stem}{item}-result.h5")


def free_path(key: FileKey, index: int | None = None) -> str:
    """Name for a result of the command line: one that the page finds, if nothing lies there."""
    path = path_beside(key.path, index)
    # What lies among uploads goes with them.
    if path.exists() or path.is_relative_to(uploads().root):
        return "result.h5"
    return short_path(str(path))


def beside(key: FileKey, index: int) -> list[Beside]:
    """Results that may hold something of an item of a file, those of the item alone first."""
    return [found for found in beside_all(key, index) if not found.problem]


def beside_all(key: FileKey, index: int | None = None) -> list[Beside]:
    """Results of a file, and of an item; also those that are not to be used, and why."""
    found: list[Beside] = []
    for which in dict.fromkeys((index, None)) if not key.more else ():
        path = path_beside(key.path, which)
        try:
            facts = path.lstat()
            # A link may lead out of the data directories.
            if not stat.S_ISLNK(facts.st_mode):
                marks = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
                found.append(_read(path, marks, key))
        except FileNotFoundError:
            continue
        except (GwinessError, OSError) as error:
            # Not kept: it may be better the next time.
            found.append(Beside(path, problem=str(error)))
    return found


@lru_cache(_MAX_KEPT)
def _read(path: Path, marks: tuple[int, ...], key: FileKey) -> Beside:
    """Facts about a result as it is now, which its ``marks`` tell; for the file as it is now."""
    with ResultFile(path) as result:
        header = result.header
        if not header.is_of(Path(key.path), key.options):
            raise GwinessError(f"{path.name} was made from another file, or of other items.")
        return Beside(
            path,
            header,
            result.created,
            marks[2],
            result.model,
            frozenset(result.items),
            frozenset(result.posterior_items),
            frozenset(result.catalogue_items),
        )


def _weights(model: str) -> str | None:
    from app import cache  # which reads results itself

    return cache.weights_of(model)
