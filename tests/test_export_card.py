"""The card of a model, as Markdown and as a page, from its contract alone."""

import copy
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from export.card import CHOICES, card
from export.choices import read_choices
from export.describe import with_figures
from export.page import page
from monitor.classifier import STARTER, Classifier
from monitor.contract import Contract
from monitor.errors import ModelError


@pytest.fixture(scope="module")
def contract() -> Contract:
    """The bundled model's, which was evaluated."""
    return Classifier(STARTER).contract


@pytest.fixture(scope="module")
def fresh(contract: Contract) -> Contract:
    """Of a network that nobody evaluated or compared."""
    provenance = msgspec.structs.replace(contract.provenance, metrics={})
    return msgspec.structs.replace(contract, provenance=provenance)


def test_the_card_names_licence_species_thresholds_figures_and_sources(contract: Contract) -> None:
    text, figures = card(contract), contract.provenance.metrics
    assert contract.provenance.licence in text
    assert contract.provenance.training_data_sha256 in text
    for label in contract.labels:
        row = next(line for line in text.splitlines() if line.startswith(f"| {label.scientific_name} |"))
        right, every = figures["correct_and_all_by_label"][label.label]
        assert label.common_name in row
        assert f"{label.threshold:.2f}" in row
        assert f"{right} of {every}" in row
    for name, of in (("balanced top-1 over the species", "balanced_top1"), ("AUROC over recordings", "auroc")):
        found = figures["ranking"][of]
        assert f"| {name} | {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f}) |" in text
    assert f"| method | {figures['method']} |" in text
    agreement = figures["int8_against_float"]["top1_agreement"]
    assert f"| INT8 against float, top-1 agreement | {agreement:.5g} |" in text
    for source in contract.provenance.attribution:
        link = f"[{source}](https://xeno-canto.org/{source[2:]})"
        assert (link in text) == source.startswith("XC")
        assert source in text


class Links(HTMLParser):
    """What a page loads and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.led: list[str] = []
        self.described = True
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element points to."""
        found = dict(attrs)
        self.loaded += [str(found["src"])] if "src" in found else []
        self.led += [str(found["href"])] if "href" in found else []
        self.described &= tag != "img" or bool(found.get("alt"))


def test_the_page_holds_its_plots_and_loads_nothing(contract: Contract) -> None:
    links = Links(page(contract))
    assert len(links.loaded) >= 5
    assert all(uri.startswith("data:image/svg+xml;base64,") for uri in links.loaded)
    assert links.described
    assert set(links.led) == {
        f"https://xeno-canto.org/{source[2:]}" for source in contract.provenance.attribution if source.startswith("XC")
    }


def test_the_page_shows_reliability_where_the_contract_holds_its_bins(contract: Contract) -> None:
    bins = {"confidence": [0.1, 0.6, 0.9], "share": [0.2, 0.5, 0.95], "claims": [5, 5, 4]}
    metrics: dict[str, Any] = copy.deepcopy(contract.provenance.metrics)
    claims = metrics["calibration_error"]["highest_claims"]
    shown = []
    for curves in (None, {"before": bins, "after": bins}):
        claims.pop("curves", None)
        claims |= {"curves": curves} if curves else {}
        told = msgspec.structs.replace(contract.provenance, metrics=metrics)
        text = page(msgspec.structs.replace(contract, provenance=told))
        assert ("On the dotted line confidence is the share that is right" in text) == (curves is not None)
        shown.append(len(Links(text).loaded))
    assert shown[1] == shown[0] + 1


def test_the_page_says_what_the_markdown_says(contract: Contract) -> None:
    shown = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page(contract))).split())
    for label in contract.labels:
        assert f"{label.scientific_name} {label.common_name} {label.threshold:.2f}" in shown
    for row in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", card(contract), re.MULTILINE):
        if row[0] not in ("figure", "---"):
            assert " ".join(row) in shown
    assert contract.provenance.licence in shown


def test_a_network_that_nobody_evaluated_has_a_card_that_says_so(fresh: Contract) -> None:
    text = page(fresh)
    assert "Nobody evaluated it" in text
    assert "Nobody compared" in text
    assert not Links(text).loaded
    assert "| Parus major | Great Tit |" in card(fresh)


def test_names_cannot_break_the_page(contract: Contract) -> None:
    evil = "<script>alert(1)</script>"
    labels = [msgspec.structs.replace(contract.labels[0], common_name=evil), *contract.labels[1:]]
    text = page(msgspec.structs.replace(contract, labels=labels, name=evil))
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_both_cards_need_no_more_than_the_contract_as_it_was_stored(contract: Contract) -> None:
    stored = msgspec.json.decode(json.dumps(msgspec.to_builtins(contract)), type=Contract)
    assert card(stored) == card(contract)
    assert page(stored) == page(contract)


def test_what_each_choice_brought_stands_on_both_cards(contract: Contract, fresh: Contract, tmp_path: Path) -> None:
    file = tmp_path / "choices.csv"
    file.write_text('choice,top-1\n"front end, without contrast",0.890\n\na | b, 0.888 \n', encoding="utf-8")
    chosen = with_figures(contract, **{CHOICES: read_choices(file)})
    lines = card(chosen).splitlines()
    start = lines.index("## What each choice brought")
    assert lines[start + 2 : start + 6] == [
        "| choice | top-1 |",
        "|---|---|",
        "| front end, without contrast | 0.890 |",
        "| a \\| b | 0.888 |",
    ]
    shown = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page(chosen))).split())
    assert "What each choice brought choice top-1 front end, without contrast 0.890 a | b 0.888" in shown
    assert "What each choice brought" not in card(fresh) + page(fresh)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (None, "cannot be read: No such file"),
        (b"", "hold no row"),
        (b"choice,top-1\n", "hold no row"),
        (b"choice,top-1\nfocal\n", "row 2, have 1 cells: expected are 2"),
        (b"choice\n\xff\n", "no CSV file in UTF-8"),
    ],
)
def test_a_damaged_table_of_choices_says_what_is_wrong(content: bytes | None, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "choices.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(str(file))) as refused:
        read_choices(file)
    assert wrong in str(refused.value)
