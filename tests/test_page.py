"""A page that needs nothing beside it, is escaped, and is written whole or not at all."""

import shutil
from base64 import b64decode
from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from warnings import catch_warnings, simplefilter
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from matplotlib import rcParams
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from monitor.errors import ConfigError
from monitor.features import MelSpec, mel_power
from training.pages.page import TEMPLATES, figure_uri, render_page, write_page
from training.pages.plots import BLUE, bands, bars, lengths, spectrogram, table_of_dots, the_most

SPEC = MelSpec(sample_rate=24_000, n_fft=800, hop=400, n_mels=96, fmin_hz=150.0, fmax_hz=11_000.0, floor=1e-9)
modest = settings(derandomize=True, deadline=None, max_examples=20)


class _Page(HTMLParser):
    """What a browser would fetch or run, and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [str(given[name]) for name in ("src", "srcset", "data", "poster") if name in given]
        if tag == "link":
            self.addresses.append(str(given.get("href")))
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], str]:
    """Render a template of one's own beside the real ones."""
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr("training.pages.page.TEMPLATES", folder)

    def write(text: str) -> str:
        (folder / "own.html").write_text('{% extends "base.html" %}' + text, encoding="utf-8")
        return "own.html"

    return write


def _picture() -> Figure:
    power = mel_power(np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32), SPEC)
    return spectrogram(power, SPEC, 3.0)


def _decoded(uri: str) -> tuple[str, bytes]:
    head, body = uri.split(",", 1)
    return head, b64decode(body, validate=True)


# Figures


def test_a_figure_of_lines_is_an_svg_that_draws_without_anything_from_elsewhere() -> None:
    head, image = _decoded(figure_uri(bars({"one": 1, "two": 2}, "recordings")))
    assert head == "data:image/svg+xml;base64"
    root = ET.fromstring(image)  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    links = [value for node in root.iter() for name, value in node.attrib.items() if name.endswith("href")]
    assert links
    assert all(link.startswith("#") for link in links)


def test_the_bars_of_a_figure_are_as_long_as_their_values() -> None:
    figure = bars({"one": 1.5, "three": 4.5}, "minutes")
    (axes,) = figure.axes
    assert [patch.get_width() for patch in axes.patches if isinstance(patch, Rectangle)] == [1.5, 4.5]
    assert [text.get_text() for text in axes.texts] == ["1.5", "4.5"]
    top, bottom = axes.get_yticks()
    assert axes.transData.transform((0, top))[1] > axes.transData.transform((0, bottom))[1]


def test_a_figure_of_pixels_is_a_webp_with_a_transparent_background() -> None:
    head, image = _decoded(figure_uri(_picture(), "webp"))
    assert head == "data:image/webp;base64"
    with Image.open(BytesIO(image)) as opened:
        assert opened.format == "WEBP"
        assert opened.convert("RGBA").getchannel("A").getpixel((1, 1)) == 0


def test_equal_figures_give_equal_uris_and_others_do_not() -> None:
    assert figure_uri(lengths([1.0, 5.0])) == figure_uri(lengths([1.0, 5.0]))
    assert figure_uri(lengths([1.0, 5.0])) != figure_uri(lengths([1.0, 50.0]))
    assert figure_uri(_picture(), "webp") == figure_uri(_picture(), "webp")


def test_making_a_figure_leaves_no_setting_changed() -> None:
    before = dict(rcParams)
    figure_uri(bars({"one": 1}, "recordings"))
    assert dict(rcParams) == before


@modest
@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30), min_size=1, max_size=3))
def test_the_names_in_a_figure_are_what_somebody_is_called(names: list[str]) -> None:
    with catch_warnings():
        simplefilter("error")
        _, image = _decoded(figure_uri(bars(dict.fromkeys(names, 1), "recordings")))
    texts = {"".join(node.itertext()) for node in ET.fromstring(image).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314
    assert set(names) <= texts


def test_dots_lie_where_something_was_counted() -> None:
    (axes,) = table_of_dots(["one", "two"], ["a", "b", "c"], [[0, 3, 0], [1, 0, 12]], "").axes
    (dots,) = axes.collections
    assert isinstance(dots, PathCollection)
    assert np.asarray(dots.get_offsets()).tolist() == [[1, 0], [0, 1], [2, 1]]
    areas = dots.get_sizes()
    assert areas[2] == pytest.approx(4 * areas[0])


def test_the_smallest_of_many_are_added_up() -> None:
    counts = {f"name {index}": 30 - index for index in range(20)}
    shown = the_most(counts, 15)
    assert list(shown)[:14] == list(counts)[:14]
    assert shown["6 others"] == sum(list(counts.values())[14:])
    assert the_most({"one": 1}) == {"one": 1}


@pytest.mark.parametrize("hz", [300, 1000, 4000, 9000])
def test_a_tone_is_drawn_where_the_axis_says(hz: int) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(24_000) / 24_000).astype(np.float32)
    loudest = mel_power(tone, SPEC).mean(axis=1).argmax()
    assert bands([hz], SPEC)[0] == pytest.approx(loudest, abs=1)


def test_the_axis_of_a_spectrogram_counts_the_seconds_of_its_recording() -> None:
    (axes,) = _picture().axes
    left, right = axes.get_xlim()
    assert left == 3.0
    assert right == pytest.approx(5.0, abs=0.04)


# Pages


def test_a_page_needs_nothing_from_elsewhere(template: Callable[[str], str]) -> None:
    name = template(
        '{% from "parts.html" import figure, facts %}{% block title %}One{% endblock %}'
        '{% block content %}{{ figure(uri, "bars", "caption") }}{{ facts([("3", "birds")]) }}{% endblock %}'
    )
    page = _Page(render_page(name, uri=figure_uri(bars({"one": 1}, "recordings"))))
    assert len(page.addresses) == 1
    assert page.addresses[0].startswith("data:image/svg+xml;base64,")
    assert "script" not in page.tags
    assert page.policy.startswith("default-src 'none'")
    assert "url(" not in render_page(name, uri="")
    assert "caption" in page.text


def test_what_is_filled_in_is_escaped_also_in_macros(template: Callable[[str], str]) -> None:
    name = template(
        '{% from "parts.html" import figure %}{% block title %}{{ name }}{% endblock %}'
        "{% block content %}{{ figure(name, name, name) }}{% endblock %}"
    )
    nasty = '"><script>alert(1)</script>'
    page = _Page(render_page(name, name=nasty))
    assert "script" not in page.tags
    assert page.addresses == [nasty]
    assert page.text.count(nasty) == 3


def test_a_name_that_nobody_gave_is_an_error(template: Callable[[str], str], tmp_path: Path) -> None:
    name = template("{% block title %}{{ forgotten }}{% endblock %}{% block content %}{% endblock %}")
    with pytest.raises(UndefinedError, match="forgotten"):
        write_page(tmp_path / "page.html", name)
    assert not (tmp_path / "page.html").exists()


def test_a_page_replaces_the_one_before_and_leaves_nothing_beside_it(
    template: Callable[[str], str], tmp_path: Path
) -> None:
    name = template("{% block title %}{{ name }}{% endblock %}{% block content %}{% endblock %}")
    path = tmp_path / "new" / "page.html"
    write_page(path, name, name="first")
    write_page(path, name, name="Đorđe")
    assert "Đorđe" in path.read_text(encoding="utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_a_page_that_cannot_be_written_is_one_sentence_and_leaves_nothing(
    template: Callable[[str], str], tmp_path: Path
) -> None:
    name = template("{% block title %}One{% endblock %}{% block content %}{% endblock %}")
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ConfigError, match=r"page\.html cannot be written: Is a directory"):
        write_page(tmp_path / "page.html", name)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"page\.html cannot be written: "):
        write_page(tmp_path / "file" / "page.html", name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "page.html", "templates"]


def _luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, after WCAG 2.1."""
    values = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_is_legible_by_day_and_by_night() -> None:
    style = (TEMPLATES / "base.html").read_text(encoding="utf-8")
    schemes = [block.split("}", 1)[0] for block in style.split(":root {")[1:]]
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(part.strip()[2:].split(": ") for part in scheme.split(";") if part.strip().startswith("--"))
        for ink, ground in (
            ("ink", "ground"),
            ("ink", "alarm-ground"),
            ("quiet", "ground"),
            ("quiet", "raised"),
            ("quiet", "alarm-ground"),
            ("accent", "ground"),
            ("accent", "alarm-ground"),
            ("alarm", "alarm-ground"),
        ):
            dark, light = sorted((_luminance(colours[ink]), _luminance(colours[ground])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground, colours)
    assert _luminance(BLUE) < 0.3
