"""The page in a real browser, beside the real daemon with a microphone: what is seen, heard and kept.

Chromium is Debian's; Playwright drives it and brings none of its own.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect, sync_playwright
from playwright.sync_api import Page as Tab
from rigs import Daemon, SoundServer, configure, free_port, kept, required, song, until
from web_page import TOKEN, Page, clip, configured, filled

PATIENCE_MS = 40_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    path = required("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    """A phone in somebody's hand; what goes wrong on the page fails the test."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    context.set_default_timeout(PATIENCE_MS)
    wrong: list[str] = []
    tab = context.new_page()
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield tab
    context.close()
    assert not wrong


def enter(tab: Tab, page: Page) -> None:
    """Show the token, as a person does."""
    tab.goto(f"http://{page.address}/")
    tab.get_by_label("Token").fill(TOKEN)
    tab.get_by_role("button", name="Log in").click()
    expect(tab.locator("#main")).to_be_visible(timeout=PATIENCE_MS)


def reached(tab: Tab) -> float:
    """Until which second of the stream the picture goes."""
    return float(tab.locator("#picture").get_attribute("data-end") or 0)


def colours(tab: Tab) -> int:
    """How many different ones the spectrogram has."""
    script = """() => {
        const canvas = document.getElementById("picture");
        const box = canvas.getContext("2d").getImageData(60, 6, canvas.width - 70, 100).data;
        const seen = new Set();
        for (let at = 0; at < box.length; at += 4) seen.add(box[at] << 16 | box[at + 1] << 8 | box[at + 2]);
        return seen.size;
    }"""
    return int(tab.evaluate(script))


def test_a_call_before_the_microphone_is_seen_heard_and_judged(
    tab: Tab, sound_server: SoundServer, tmp_path: Path
) -> None:
    """The picture moves, the call appears within 3 s of its end, its clip plays, the verdict lands in the store."""
    config = configure(
        tmp_path, {"kind": "microphone", "device": "mic"}, free_port(), clips={"directory": str(tmp_path / "clips")}
    )
    call, length_s = song(tmp_path / "call.wav", 2.0, 9.0), 7.0
    with Daemon(config, sound_server.environment) as daemon, Page(config) as page:
        until(lambda: "listening to microphone" in daemon.said(), f"the microphone; {daemon.log}")
        enter(tab, page)
        expect(tab.locator("#state")).to_have_text("listening", timeout=PATIENCE_MS)
        until(lambda: reached(tab) > 0, "a picture")
        before = reached(tab)
        until(lambda: reached(tab) > before + 2, "a picture that moves")
        sound_server.play(call)
        began = time.monotonic()
        tab.locator("#lasting li, #list li").first.wait_for()
        # it sings from 2 s to 6.5 s of the recording
        assert time.monotonic() - began < 6.5 + 3.0 + 1.0, "1 s for the sound server to begin"
        until(lambda: colours(tab) > 20, "sound in the picture")
        card = tab.locator("#list li").first
        expect(card).to_contain_text("Great Tit", timeout=PATIENCE_MS)
        assert time.monotonic() - began < length_s + 30
        tab.get_by_label("You are").fill("Ada")
        card.get_by_role("button", name="It is", exact=True).click()
        expect(card).to_contain_text("Confirmed by Ada", timeout=PATIENCE_MS)
        row = until(lambda: kept(tmp_path / "store")["verdicts"], "a verdict in the store")[0]
        assert (row["verdict"], row["who"], row["scientific_name"]) == ("confirmed", "Ada", "Parus major")
        card.get_by_role("button", name="Listen").click()
        until(lambda: tab.evaluate("document.querySelector('audio')?.duration > 3"), "a clip that can be played")
    expect(tab.locator("#state")).to_have_class("state gone", timeout=PATIENCE_MS)


def test_a_card_that_two_answers_renew_at_once_is_renewed_again_later(tab: Tab, tmp_path: Path) -> None:
    """Who judges renews the card, and so does the news that somebody judged."""
    filled(tmp_path / "store", 1)
    held: list[Route] = []
    with Page(configured(tmp_path)) as page:
        enter(tab, page)
        card = tab.locator("#list li").first
        expect(tab.locator("#state")).to_have_class(
            "state gone", timeout=PATIENCE_MS
        )  # no daemon: the news come anyway
        tab.route("**/api/detections/*", lambda asked: held.append(asked))  # noqa: PLW0108 - it takes no built-in method
        card.get_by_role("button", name="It is", exact=True).click()
        until(lambda: tab.wait_for_timeout(50) or len(held) == 2, "both ask for what is known now")
        for asked in held:
            asked.continue_()
        tab.unroute("**/api/detections/*")
        expect(card).to_contain_text("Confirmed", timeout=PATIENCE_MS)
        card.get_by_role("button", name="It is not").click()
        expect(card).to_contain_text("Rejected", timeout=PATIENCE_MS)


def test_what_a_station_says_is_text_and_never_markup(tab: Tab, tmp_path: Path) -> None:
    evil = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>"
    filled(tmp_path / "store", 2, common_name=evil, recording=f"'\"{evil}", label=evil, scientific_name=evil)
    with Page(configured(tmp_path)) as page:
        enter(tab, page)
        expect(tab.locator("#list li").first).to_contain_text(evil, timeout=PATIENCE_MS)
        tab.locator("#list li").first.get_by_role("button", name="It is not").click()
        expect(tab.locator("#list li").first).to_contain_text("Rejected", timeout=PATIENCE_MS)
        assert tab.locator("#list img").count() == 0
        assert "evil" not in tab.title()


def test_everything_can_be_done_with_the_keyboard_and_is_large_enough_for_a_thumb(tab: Tab, tmp_path: Path) -> None:
    found = filled(tmp_path / "store", 40)
    clip(tmp_path, found[-1])
    with Page(configured(tmp_path)) as page:
        tab.goto(f"http://{page.address}/")
        expect(tab.get_by_label("Token")).to_be_focused(timeout=PATIENCE_MS)
        tab.keyboard.type(TOKEN)
        tab.keyboard.press("Enter")
        expect(tab.locator("#list li")).to_have_count(30, timeout=PATIENCE_MS)
        tab.locator("#list li").first.focus()
        tab.keyboard.press("r")
        expect(tab.locator("#list li").first).to_contain_text("Rejected", timeout=PATIENCE_MS)
        tab.get_by_role("button", name="Older ones").click()
        expect(tab.locator("#list li")).to_have_count(40, timeout=PATIENCE_MS)
        shown = "[...document.querySelectorAll('button, select, input')].filter((one) => one.offsetParent)"
        small = f"{shown}.filter((one) => one.offsetHeight < 44)"
        assert tab.evaluate(f"{small}.length") == 0
        wide = "[...document.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > 390)"
        assert tab.evaluate(f"{wide}.map((one) => one.outerHTML.slice(0, 200))") == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        unnamed = f"{shown}.filter((one) => one.matches('select, input') && !one.labels.length && !one.ariaLabel)"
        assert tab.evaluate(f"{unnamed}.length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(chromium: Browser, tmp_path: Path, scheme: str) -> None:
    """WCAG 2.2 asks for a contrast of 4.5; in the sun it should be 7."""
    filled(tmp_path / "store", 1)
    script = """() => {
        const light = (text) => {
            const parts = text.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
                .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const behind = (one) => {
            for (; one; one = one.parentElement) {
                const colour = getComputedStyle(one).backgroundColor;
                if (!colour.endsWith(", 0)")) return colour;
            }
            return "rgb(255, 255, 255)";
        };
        const written = (part) => part.nodeType === 3 && part.data.trim();
        return [...document.querySelectorAll("h1, h2, p, b, i, button, label, dt, dd, li, div")]
            .filter((one) => one.offsetParent && [...one.childNodes].some(written))
            .map((one) => {
                const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
                return [(a + 0.05) / (b + 0.05), one.textContent];
            }).filter(([contrast]) => contrast < 7);
    }"""
    context = chromium.new_context(color_scheme="dark" if scheme == "dark" else "light")
    context.set_default_timeout(PATIENCE_MS)
    with Page(configured(tmp_path)) as page:
        tab = context.new_page()
        enter(tab, page)
        expect(tab.locator("#list li")).to_have_count(1, timeout=PATIENCE_MS)
        assert tab.evaluate(script) == []
    context.close()


def test_a_page_of_another_origin_cannot_have_a_verdict_written(chromium: Browser, tmp_path: Path) -> None:
    """With the cookie in the browser, from a page that the same browser has open."""
    (found,) = filled(tmp_path / "store", 1)
    other = tmp_path / "other"
    other.mkdir()
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    with Page(configured(tmp_path)) as page, Page(configured(other), token=False) as evil:
        enter(context.new_page(), page)
        tab = context.new_page()
        tab.goto(f"http://localhost:{evil.port}/style.css")
        body = f'{{"detection": "{found}", "verdict": "rejected"}}'
        for kind in ("application/json", "text/plain"):
            script = (
                "([url, body, kind]) => fetch(url, {method: 'POST', credentials: 'include', mode: 'no-cors', "
                "headers: {'Content-Type': kind}, body}).catch(() => 'refused')"
            )
            tab.evaluate(script, [f"http://{page.address}/api/verdicts", body, kind])
        assert kept(tmp_path / "store")["verdicts"] == []
    context.close()
