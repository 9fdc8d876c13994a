"""Which sound card is which: identities that outlast a replug and a restart, from a tree like that of sysfs."""

from pathlib import Path

import pytest

from monitor.errors import MicrophoneError
from monitor.sources.identity import Usb, lasting, usb_of
from monitor.sources.microphone import Device, choose_device

CANOPY = Usb("16d0", "06f3", "243B1F0663FAFA4C", "1-1.2")
GROUND = Usb("16d0", "06f3", "24E144085F256ADE", "1-1.4")
CHEAP, TWIN = Usb("0d8c", "0014", "", "1-1.1"), Usb("0d8c", "0014", "", "1-1.3")


def plug(system: Path, card: int, usb: Usb) -> None:
    """Make what the kernel makes when a USB sound card is plugged in."""
    device = system / "devices" / "platform" / "usb1" / usb.port
    interface = device / f"{usb.port}:1.0"
    interface.mkdir(parents=True, exist_ok=True)
    (device / "idVendor").write_text(f"{usb.vendor}\n", encoding="ascii")
    (device / "idProduct").write_text(f"{usb.product}\n", encoding="ascii")
    if usb.serial:
        (device / "serial").write_text(f"{usb.serial}\n", encoding="ascii")
    sound = system / "class" / "sound" / f"card{card}"
    sound.mkdir(parents=True)
    (sound / "device").symlink_to(interface)


def device(index: int, name: str, usb: Usb | None = None, *, default: bool = False) -> Device:
    """An input."""
    return Device(index, name, "ALSA", 1, 48_000, default, usb)


@pytest.mark.parametrize("usb", [CANOPY, CHEAP], ids=["with a serial number", "without"])
def test_a_usb_card_is_known_by_what_the_kernel_says_of_it(usb: Usb, tmp_path: Path) -> None:
    plug(tmp_path, 2, usb)
    assert usb_of("384kHz AudioMoth USB Microphone: Audio (hw:2,0)", tmp_path) == usb


def test_a_card_that_is_not_on_usb_and_an_input_that_is_no_card_are_nothing_on_usb(tmp_path: Path) -> None:
    soc = tmp_path / "devices" / "platform" / "soc" / "sound"
    soc.mkdir(parents=True)
    card = tmp_path / "class" / "sound" / "card0"
    card.mkdir(parents=True)
    (card / "device").symlink_to(soc)
    assert usb_of("snd_rpi_i2s: - (hw:0,0)", tmp_path) is None
    assert usb_of("pulse", tmp_path) is None
    assert usb_of("USB Audio: - (hw:7,0)", tmp_path) is None


def listed(*plugged: Usb) -> list[Device]:
    """All inputs of a machine, with cards numbered as they were plugged in."""
    cards = [device(n, f"USB Microphone: Audio (hw:{n},0)", usb) for n, usb in enumerate(plugged)]
    return [*cards, device(len(cards), "default", default=True)]


@pytest.mark.parametrize(
    ("plugged", "wanted", "found"),
    [
        ([CANOPY, GROUND], "usb:16d0:06f3:24E144085F256ADE", GROUND),
        ([GROUND, CANOPY], "usb:16d0:06f3:24E144085F256ADE", GROUND),
        ([CANOPY, CHEAP], "usb:0d8c:0014", CHEAP),
        ([CHEAP, TWIN], "port:1-1.3", TWIN),
        ([CHEAP, TWIN], "index:1", TWIN),
        ([CHEAP, TWIN], "*hw:1,*", TWIN),
        ([CHEAP], "usb*micro*", CHEAP),
        ([CHEAP], "", None),
    ],
)
def test_a_device_is_chosen_by_identity_port_pattern_or_number(plugged: list[Usb], wanted: str, found: Usb) -> None:
    assert choose_device(listed(*plugged), wanted).usb == found


def test_a_kind_that_is_there_twice_is_no_choice() -> None:
    with pytest.raises(MicrophoneError, match="microphone 'usb:0d8c:0014': 2 inputs fit; there are: 'USB Microphone"):
        choose_device(listed(CHEAP, TWIN), "usb:0d8c:0014")


def test_what_is_written_for_a_device_is_its_best_identity_and_finds_it_again_in_any_order() -> None:
    moths = listed(CANOPY, GROUND, CHEAP)
    written = [lasting(one, moths) for one in moths]
    assert written == ["usb:16d0:06f3:243B1F0663FAFA4C", "usb:16d0:06f3:24E144085F256ADE", "usb:0d8c:0014", "default"]
    again = listed(CHEAP, GROUND, CANOPY)
    assert [choose_device(again, text).usb for text in written] == [CANOPY, GROUND, CHEAP, None]


def test_cards_that_nothing_but_their_port_tells_apart_are_called_by_it() -> None:
    twins = listed(CHEAP, TWIN)
    assert [lasting(one, twins) for one in twins[:2]] == ["port:1-1.1", "port:1-1.3"]


def test_a_card_of_the_board_is_called_by_its_name_without_its_number() -> None:
    cards = [device(0, "snd_rpi_i2s: [x] (hw:1,0)"), device(1, "vc4-hdmi: - (hw:0,0)")]
    assert lasting(cards[1], cards) == "vc4-hdmi: - (hw:*)"
    assert [choose_device(cards, lasting(card, cards)) for card in cards] == cards


def test_two_inputs_of_the_same_name_are_told_apart_by_their_place_in_the_list() -> None:
    twins = [device(0, "twin"), device(1, "twin")]
    assert [lasting(one, twins) for one in twins] == ["index:0", "index:1"]
    assert choose_device(twins, "index:1") is twins[1]
