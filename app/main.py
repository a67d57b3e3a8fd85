"""Entry point: ``streamlit run app/main.py`` (or ``gwiness app``)."""

import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    # Streamlit puts this folder on the path; `app` itself is a package beside `gwiness`.
    sys.path.insert(0, _ROOT)

from app.ui import main  # noqa: E402

main()
