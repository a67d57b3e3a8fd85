"""How things look, once: the colour and the title of each class, and the frame of a figure.

Class colours follow Okabe and Ito's palette, which stays apart under every common colour-vision
deficiency; the blue is lightened so that it reads on a dark page too, and purple and greys are
moved apart: to who sees no green, theirs were the same.

References:
    Okabe, Ito: Color Universal Design, 2008, https://jfly.uni-koeln.de/color/
"""

from collections.abc import Mapping

import plotly.graph_objects as go

__all__ = [
    "COLORMAPS",
    "KIND_COLORS",
    "SHORT_TITLES",
    "TRUTH_COLOR",
    "chip",
    "color_of",
    "framed",
    "short_title",
    "with_alpha",
]

KIND_COLORS: Mapping[str, str] = {
    "mbhb": "#D55E00",
    "emri": "#009E73",
    "gb": "#3C9BDC",
    "sinusoid": "#B974B5",
    "mixture": "#6F7B8A",
    "residual": "#B08D57",
    "noise": "#9AA3B2",
}
"""Colour of each class, everywhere: figures, pills, tables."""

SHORT_TITLES: Mapping[str, str] = {
    "mbhb": "MBHB",
    "emri": "EMRI",
    "gb": "GB",
    "sinusoid": "Sinusoids",
    "mixture": "Mixture",
    "residual": "Residual",
    "noise": "Noise",
}

TRUTH_COLOR = "#F0B400"
"""Colour of what was injected, where it lies over what was inferred."""

COLORMAPS: tuple[str, ...] = ("Viridis", "Cividis", "Inferno", "Greys")
"""Perceptually ordered maps; Cividis is the safest for colour-vision deficiencies."""

_FALLBACK = "#8A63D2"


def color_of(kind: str) -> str:
    """Colour of a class; one fallback for classes that only a file knows."""
    return KIND_COLORS.get(kind, _FALLBACK)


def short_title(kind: str) -> str:
    """Short name of a class, e.g. ``GB``."""
    return SHORT_TITLES.get(kind, kind)


def with_alpha(color: str, alpha: float) -> str:
    """A ``#rrggbb`` colour as ``rgba(...)``.

    Example:
        >>> with_alpha("#009E73", 0.5)
        'rgba(0,158,115,0.5)'
    """
    red, green, blue = (int(color[first : first + 2], 16) for first in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def chip(kind: str) -> str:
    """A small square in the class colour, in plotly's own markup."""
    return f'<span style="color:{color_of(kind)}">■</span>'


def framed(figure: go.Figure, height: int, revision: str = "keep") -> go.Figure:
    """Common frame: margins, height, no legend box.

    Arguments:
        figure: Changed in place.
        height: Height [px].
        revision: Plotly keeps the zoom of an updated figure as long as this text is the same.

    Returns:
        The same figure.
    """
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        uirevision=revision,
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hovermode="closest",
    )
    return figure
