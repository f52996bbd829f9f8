"""The XML that reference manifests are made of, and its canonical form (W3C Canonical XML 1.0 and 1.1, inclusive, without
comments).

A strict subset: elements, attributes, namespaces, text. Document types, entities, processing instructions and `xml:` attributes
refuse, so that nothing expands, and versions 1.0 and 1.1 of the canonical form are the same here. The standard library's expat
reads; sizes, depth and counts are bounded. Left to others: signatures (`xmlsig`), what the elements mean (`rim`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from confide.codes import Code
from confide.errors import CollateralError

MAX_XML = 1 << 20  # bytes; a manifest is 20 to 60 KiB
MAX_DEPTH = 16
MAX_ELEMENTS = 4096
MAX_NAMESPACES = (
    16  # in one scope: every element carries its own, and the canonical form goes through all of them; manifests have 5
)
MAX_ATTRIBUTES = 64  # of one element: 32 alternative digests and half a dozen others
XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"


@dataclass(eq=False)
class Element:
    """One element. `scope` maps prefixes to the namespaces in scope here; `declared` are those that it declares itself."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    declared: Mapping[str, str]
    scope: Mapping[str, str] = field(repr=False)
    children: list["Element | str"] = field(default_factory=list, repr=False)

    @property
    def tag(self) -> tuple[str, str]:
        """Namespace and local name."""
        prefix, _, local = self.name.rpartition(":")
        return self.scope.get(prefix, ""), local

    @property
    def elements(self) -> list["Element"]:
        """Children that are elements."""
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def text(self) -> str:
        """Text of an element that has nothing else."""
        return "".join(child for child in self.children if isinstance(child, str))

    def attribute(self, namespace: str, local: str) -> str | None:
        """The value of an attribute; without a prefix an attribute is in no namespace."""
        for name, value in self.attributes:
            prefix, _, found = name.rpartition(":")
            if found == local and (self.scope.get(prefix, "") if prefix else "") == namespace:
                return value
        return None

    def walk(self) -> Iterator["Element"]:
        """This and all below, in document order."""
        yield self
        for child in self.elements:
            yield from child.walk()


def parse(data: bytes) -> Element:
    """The root element.

    Raises:
        CollateralError: `nvidia.xml`.
    """
    if len(data) > MAX_XML:
        raise CollateralError(Code.NVIDIA_XML, found=f"{len(data)} bytes", wanted=f"at most {MAX_XML}")
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ProcessingInstructionHandler = builder.refuse
    try:
        parser.Parse(data, True)
        (root,) = builder.roots
    except (expat.ExpatError, UnicodeError, ValueError) as error:
        raise CollateralError(Code.NVIDIA_XML, found=type(error).__name__, wanted="well-formed XML") from None
    return root


def canonical(element: Element, *, without: Element | None = None) -> bytes:
    """Canonical form of an element as the apex of a subset (section 2.3); `without` is left out (the enveloped signature)."""
    return "".join(_canonical(element, {}, without)).encode()


class _Builder:
    def __init__(self) -> None:
        self.roots: list[Element] = []
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, flat: Sequence[str]) -> None:
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        declared = {key[6:] if key != "xmlns" else "": value for key, value in pairs if key == "xmlns" or key.startswith("xmlns:")}
        attributes = tuple(pair for pair in pairs if pair[0] != "xmlns" and not pair[0].startswith("xmlns:"))
        above: Mapping[str, str] = self._open[-1].scope if self._open else {}
        element = Element(name, attributes, declared, {**above, **declared} if declared else above)
        self._count += 1
        self._require(element)
        siblings: list[Element | str] | list[Element] = self._open[-1].children if self._open else self.roots
        siblings.append(element)
        self._open.append(element)

    def end(self, _: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].children.append(data)

    def refuse(self, *_: object) -> NoReturn:
        raise CollateralError(Code.NVIDIA_XML, found="a document type, entity or instruction", wanted="elements and text")

    def _require(self, element: Element) -> None:
        """Bounds; every prefix is declared; no two attributes are one (Namespaces in XML 1.0, section 6.3)."""
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise _beyond("deep or many elements", f"depth {MAX_DEPTH}, {MAX_ELEMENTS} elements")
        if len(element.scope) > MAX_NAMESPACES or len(element.attributes) > MAX_ATTRIBUTES:
            raise _beyond("many namespaces or attributes", f"{MAX_NAMESPACES} namespaces, {MAX_ATTRIBUTES} attributes")
        prefixes = {name.rpartition(":")[0] for name in (element.name, *(key for key, _ in element.attributes))} - {""}
        if prefixes - set(element.scope) or "xml" in prefixes | set(element.declared) or XML_NAMESPACE in element.declared.values():
            raise CollateralError(Code.NVIDIA_XML, found="undeclared prefixes, or xml:", wanted="declared prefixes")
        keys = [_key(element, name) for name, _ in element.attributes]
        if len(set(keys)) != len(keys):
            raise CollateralError(Code.NVIDIA_XML, found="an attribute twice", wanted="once")


def _canonical(element: Element, shown: Mapping[str, str], without: Element | None) -> Iterator[str]:
    """Section 2.3: namespace nodes in order of their prefixes where the output has not shown them yet, then attributes in order of
    namespace and local name. An apex shows all namespaces in scope."""
    new = {prefix: uri for prefix, uri in element.scope.items() if shown.get(prefix, "" if prefix == "" else None) != uri}
    yield f"<{element.name}"
    for prefix in sorted(new):
        yield f' xmlns{":" if prefix else ""}{prefix}="{_attribute(new[prefix])}"'
    for name, value in sorted(element.attributes, key=lambda pair: _key(element, pair[0])):
        yield f' {name}="{_attribute(value)}"'
    yield ">"
    for child in element.children:
        if isinstance(child, str):
            yield _text(child)
        elif child is not without:
            yield from _canonical(child, {**shown, **new}, without)
    yield f"</{element.name}>"


def _beyond(found: str, wanted: str) -> CollateralError:
    return CollateralError(Code.NVIDIA_XML, found=found, wanted=f"at most {wanted}")


def _key(element: Element, name: str) -> tuple[str, str]:
    prefix, _, local = name.rpartition(":")
    return (element.scope.get(prefix, "") if prefix else "", local)


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def _attribute(value: str) -> str:
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return escaped.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
