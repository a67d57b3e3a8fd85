"""Entry point: ``streamlit run app/main.py`` (or ``gwiness app``)."""

import gc
import os
import sys
from pathlib import Path
from threading import Thread

# Before torch is loaded. Its threads would wait for one another by spinning: where a browser keeps
# one of two cores busy, a separation takes 6 s so, and 3 s if they sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import streamlit as st

_HERE = Path(__file__).resolve().parent
if str(_HERE.parent) not in sys.path:
    # Streamlit puts this folder on the path; `app` itself is a package beside `gwiness`.
    sys.path.insert(0, str(_HERE.parent))

from starlette.middleware import Middleware  # noqa: E402

from app.preload import Preload  # noqa: E402
from app.routes import ROUTES  # noqa: E402


def _warm_up() -> None:
    """Make ready what the first page needs while its reader's browser is still loading."""
    # Libraries stay: to look for garbage among them costs half a second, and later as much again.
    gc.disable()
    try:
        from gwiness.io import probe

        probe.start()  # another process, which is there when the sample is opened
        # In one thread: a figure that is made in another one while this is half loaded fails,
        # because plotly looks whether its values are pandas'.
        import pandas  # noqa: F401

        from app import files, streams, ui  # noqa: F401

        streams.warm_up(files.SAMPLE)
    finally:
        gc.freeze()
        gc.enable()


Thread(target=_warm_up, daemon=True).start()
app = st.App(_HERE / "ui.py", routes=ROUTES, middleware=[Middleware(Preload)])
