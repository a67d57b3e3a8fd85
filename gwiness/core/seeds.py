"""Random generators from a seed and a path of names, so that item 17 never depends on item 16."""

import hashlib

import numpy as np

__all__ = ["generator"]


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """Independent generator for a place in the computation.

    Arguments:
        seed: Root seed of the run.
        path: Names and indices, e.g. ``("item", 17, "noise")``.

    Example:
        >>> [int(generator(1, "item", index).integers(100)) for index in (0, 1, 0)]
        [27, 7, 27]
    """
    # Hashed with separators and types: ("a", 1) and ("a1",) must differ.
    text = "\x1f".join(f"{type(step).__name__}:{step}" for step in path)
    digest = hashlib.sha256(text.encode()).digest()[:16]
    words = np.frombuffer(digest, dtype=np.uint32)
    return np.random.Generator(np.random.PCG64([seed, *words.tolist()]))
