"""What a document may ask for before it is run: measured once a fragment, so linear in its size whatever it spreads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
)

_CYCLE = 10**6


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one operation may ask for, fragments counted wherever they are spread; `tokens` are a document's.

    `cost` is what `gql/cost.py` reckons.
    """

    tokens: int = 5_000
    depth: int = 15
    fields: int = 1_000
    aliases: int = 50
    directives: int = 50
    cost: int = 100_000


class Extent(NamedTuple):
    """How much an operation asks for: how deep its fields nest, how many fields, aliases and directives it has."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0

    def beside(self, other: "Extent") -> "Extent":
        """Both selected at one place."""
        return Extent(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
        )


def extent_of(document: DocumentNode) -> Extent:
    """The greatest extent, each for itself, over the document's operations.

    A fragment that is not defined counts nothing (another rule refuses it); one that spreads itself is beyond any
    limit.
    """
    measured = [_Measuring(document).of_operation(node) for node in _operations(document)]
    return Extent(*(max(figures) for figures in zip(*measured, strict=True))) if measured else Extent()


class _Measuring:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = fragments_of(document)
        self._measured: dict[str, Extent] = {}

    def of_operation(self, node: OperationDefinitionNode) -> Extent:
        own = Extent(directives=len(node.directives or ()))
        return own.beside(self._of(node.selection_set))

    def _of(self, selections: SelectionSetNode | None) -> Extent:
        found = Extent()
        for each in selections.selections if selections else ():
            directives = Extent(directives=len(each.directives or ()))
            match each:
                case FieldNode():
                    below = self._of(each.selection_set)
                    field = Extent(1 + below.depth, 1 + below.fields, int(each.alias is not None) + below.aliases)
                    found = found.beside(field).beside(Extent(directives=below.directives)).beside(directives)
                case InlineFragmentNode():
                    found = found.beside(self._of(each.selection_set)).beside(directives)
                case FragmentSpreadNode():
                    found = found.beside(self._of_fragment(each.name.value)).beside(directives)
                case _:
                    pass
        return found

    def _of_fragment(self, name: str) -> Extent:
        if name not in self._measured:
            self._measured[name] = Extent(_CYCLE, _CYCLE, _CYCLE, _CYCLE)
            fragment = self._fragments.get(name)
            self._measured[name] = Extent() if fragment is None else self._of(fragment.selection_set)
        return self._measured[name]


def fragments_of(document: DocumentNode) -> Mapping[str, FragmentDefinitionNode]:
    """The document's fragments by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    return (node for node in document.definitions if isinstance(node, OperationDefinitionNode))


_CODES = {"depth": "TOO_DEEP", "fields": "TOO_MANY_FIELDS", "aliases": "TOO_MANY_ALIASES"}
_CODES["directives"] = "TOO_MANY_DIRECTIVES"


def limit_rule(limits: Limits) -> type[ValidationRule]:
    """A validation rule that refuses documents beyond the limits, with the figure and the limit."""

    class WithinLimits(ValidationRule):
        """Measures the whole document once, when validation begins."""

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            for name, figure in extent_of(context.document)._asdict().items():
                most: int = getattr(limits, name)
                if figure > most:
                    # A cycle has no figure; another rule names it.
                    shown = str(figure) if figure < _CYCLE else "more"
                    message = f"{name}: {shown} where at most {most} are allowed"
                    self.report_error(GraphQLError(message, extensions={"code": _CODES[name]}))

    return WithinLimits
