"""HTML read strictly, for tests: whatever is opened is closed, in its order."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list["Element"])

    def all(self, tag: str) -> list["Element"]:
        found = [each for child in self.children for each in child.all(tag)]
        return [self, *found] if self.tag == tag else found

    def words(self) -> str:
        return self.text + "".join(child.words() for child in self.children)


class Tree(HTMLParser):
    """Reads strictly: whatever is opened is closed, in its order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self.declaration = ""
        self._open = [self.root]
        self.feed(page)
        self.close()
        assert self._open == [self.root], "not closed"

    def handle_decl(self, decl: str) -> None:
        self.declaration = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), tag
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].text += data


def elements(root: Element) -> list[Element]:
    return [each for child in root.children for each in (child, *elements(child))]
