"""The README stays true: every verb is in it and has a help text."""

import re
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from gwiness.cli import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def verbs(command=None, path=()):
    """Every leaf of the command tree as a tuple of words."""
    command = command or typer.main.get_command(app)
    children = getattr(command, "commands", {})
    if not children:
        yield path
    for name, child in children.items():
        yield from verbs(child, (*path, name))


@pytest.mark.parametrize("path", list(verbs()), ids=" ".join)
def test_every_verb_has_help_and_stands_in_the_readme(path):
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert len(result.output) > 100
    assert re.search(rf"`(gwiness|…)?[^`]*\b{path[-1]}\b[^`]*`", README), f"{path} not in README"


def test_readme_names_existing_files():
    for name in re.findall(r"`((?:app|gwiness|models|sample_data|tests)/[\w/.]*)`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).is_file(), name
