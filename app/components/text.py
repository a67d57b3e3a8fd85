"""Text from files and models, made harmless before it meets Markdown or HTML."""

import html
import re

__all__ = ["counted", "escaped", "plain", "size_text"]


def plain(text: str) -> str:
    r"""Text that Markdown shows as it is.

    Example:
        >>> plain("a_b [x](y) $z$")
        'a\\_b \\[x\\]\\(y\\) \\$z\\$'
    """
    text = re.sub(r"([\\`*_{}\[\]()<>#+!|~$:@&])", r"\\\1", text)
    # Markdown also makes links of what begins so.
    return re.sub(r"(?i)\b(www)\.", r"\1\\.", text)


def escaped(text: object) -> str:
    """Text that HTML shows as it is."""
    return html.escape(str(text), quote=True)


def counted(number: int, noun: str) -> str:
    """A number of things.

    Example:
        >>> counted(1, "item"), counted(3, "item")
        ('1 item', '3 items')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size_text(size: float) -> str:
    """A number of bytes, in decimal units as file managers show them.

    Example:
        >>> size_text(6_430_000_000), size_text(1_500_000), size_text(12)
        ('6.43 GB', '1.5 MB', '12 B')
    """
    for limit, unit, digits in ((1e9, "GB", 2), (1e6, "MB", 1), (1e3, "kB", 0)):
        if size >= limit:
            return f"{size / limit:.{digits}f} {unit}"
    return f"{size:.0f} B"
