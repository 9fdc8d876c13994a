"""Elements of a page, in which whatever comes from outside is text and never markup."""

from xml.etree.ElementTree import Element

Content = Element | str | None


def element(tag: str, *content: Content, **attributes: object) -> Element:
    """An element of HTML or SVG. `class_` is class, `stroke_width` is stroke-width; what is None is left out."""
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    made = Element(tag, {names[name]: _text(value) for name, value in attributes.items() if value is not None})
    return add(made, *content)


def add(parent: Element, *content: Content) -> Element:
    """Put more into an element, behind what is there; returns it."""
    for piece in content:
        if isinstance(piece, Element):
            parent.append(piece)
        elif piece:
            _add_text(parent, piece)
    return parent


def _add_text(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
