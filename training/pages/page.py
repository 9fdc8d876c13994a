"""One HTML page that needs nothing beside it: a template filled in, its figures inside, written at once or not at all.

The templates extend `templates/base.html`, which says what a page looks like on a screen by day and by night and on
paper, and take `figure` and `facts` from `templates/parts.html`. Everything filled in is escaped; a name that the
template uses and nobody gave is an error, not an empty place.
"""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from warnings import catch_warnings, filterwarnings

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from monitor.errors import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
MEDIA = {"svg": "image/svg+xml", "webp": "image/webp"}
DOTS_PER_INCH = 160
"""of figures made of pixels: sharp on a dense screen and on paper"""
WEBP_QUALITY = 70


def figure_uri(figure: Figure, form: Literal["svg", "webp"] = "svg") -> str:
    """A figure as a data URI: lines and text as `svg`, pictures such as spectrograms as `webp`.

    The background is transparent. Draw in dark ink: by night the page inverts the lightness of its figures and keeps
    the hues. Equal figures give equal URIs.
    """
    image = BytesIO()
    options: dict[str, Any] = (
        {"metadata": {"Date": None}} if form == "svg" else {"pil_kwargs": {"quality": WEBP_QUALITY}}
    )
    # Text that stays text and identifiers that are not random can be set only for all SVGs, here while one is saved.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dawnchorus"}), catch_warnings():
        # What the font for measuring lacks, such as Chinese, the browser draws with a font that has it.
        filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(image, format=form, dpi=DOTS_PER_INCH, transparent=True, **options)
    return f"data:{MEDIA[form]};base64,{b64encode(image.getvalue()).decode('ascii')}"


def render_page(template: str, **context: object) -> str:
    """The text of a page. `template`: a file of `templates/`; `context`: what it names.

    Raises jinja2.UndefinedError where the template uses a name that was not given.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(context)


def write_page(path: Path, template: str, **context: object) -> None:
    """Render a page into a file: all of it or, where anything goes wrong, nothing. ConfigError: cannot be written."""
    text = render_page(template, **context)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise ConfigError(msg) from error
