"""``gwiness app``: the dashboard in the browser."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from gwiness.core.errors import GwinessError

__all__ = ["SCRIPT", "dashboard"]

SCRIPT = Path(__file__).resolve().parents[2] / "app" / "main.py"


def dashboard(
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 8501,
    headless: Annotated[bool, typer.Option(help="Do not open a browser.")] = False,
) -> None:
    """Open the dashboard in the browser."""
    if not SCRIPT.is_file():
        raise GwinessError(
            f"the dashboard's script {SCRIPT} is missing; run from a clone of the repository."
        )
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT)]
    command += ["--server.port", str(port), "--server.headless", str(headless).lower()]
    # A first run would otherwise ask for an e-mail address before it serves anything.
    command += ["--server.showEmailPrompt", "false"]
    raise typer.Exit(subprocess.call(command))
