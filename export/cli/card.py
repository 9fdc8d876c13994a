"""`dawnchorus-export card`."""

from pathlib import Path
from typing import Annotated

import typer

from export.card import card as markdown
from export.cli.options import wrote
from export.files import put
from export.page import page
from monitor.classifier import Classifier


def card(
    file: Annotated[Path, typer.Argument(help="A model file of ours.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the cards; default: beside the file.")
    ] = None,
) -> None:
    """Write a model's card, as Markdown and as a page with plots, from its contract alone.

    Example: dawnchorus-export card monitor/models/starter.onnx
    """
    contract = Classifier(file).contract
    base = (out or file.parent) / file.name
    cards = {
        base.with_suffix(".md"): markdown(contract).encode(),
        base.with_suffix(".html"): page(contract).encode(),
    }
    put(cards)
    wrote(*cards)
