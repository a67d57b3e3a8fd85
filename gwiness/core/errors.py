"""Errors a user is meant to read: one sentence with what was found, what was expected, what to do.

The command line prints the sentence and exits with 1; the page shows it. Everything else that is
raised is a fault of the program and keeps its traceback.
"""

__all__ = ["Cancelled", "FileProblem", "GwinessError", "ScopeProblem", "UnknownFormat"]


class GwinessError(ValueError):
    """Base of every error whose message is a sentence for the user."""


class FileProblem(GwinessError):
    """A file cannot be used: names the file or dataset, what it holds and what was expected."""


class UnknownFormat(FileProblem):
    """The file is readable HDF5, but of no layout that is known."""


class ScopeProblem(GwinessError):
    """A checkpoint was asked for data outside what it was trained on."""


class Cancelled(GwinessError):
    """The user asked to stop; what was finished is kept."""
