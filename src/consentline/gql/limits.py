"""What a document may cost before it is run: linear in its size, whatever it spreads."""

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

MAX_TOKENS = 5_000
MAX_DEPTH = 15
_CYCLE = 10**6


def depth_of(document: DocumentNode) -> int:
    """How deep the fields of the document's deepest operation nest.

    Each fragment is measured once, so that chains of fragments that spread the next one twice cost no more than they
    are long. A fragment that is not defined counts nothing (another rule refuses it); one that spreads itself is
    deeper than any limit.
    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    measured: dict[str, int] = {}

    def of(selections: SelectionSetNode | None) -> int:
        deepest = 0
        for each in selections.selections if selections else ():
            match each:
                case FieldNode():
                    depth = 1 + of(each.selection_set)
                case InlineFragmentNode():
                    depth = of(each.selection_set)
                case FragmentSpreadNode():
                    depth = of_fragment(each.name.value)
                case _:
                    depth = 0
            deepest = max(deepest, depth)
        return deepest

    def of_fragment(name: str) -> int:
        if name not in measured:
            measured[name] = _CYCLE
            fragment = fragments.get(name)
            measured[name] = 0 if fragment is None else of(fragment.selection_set)
        return measured[name]

    return max(
        (of(node.selection_set) for node in document.definitions if isinstance(node, OperationDefinitionNode)),
        default=0,
    )


class DepthLimit(ValidationRule):
    """Refuses documents whose fields nest deeper than MAX_DEPTH."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        if depth_of(context.document) > MAX_DEPTH:
            self.report_error(GraphQLError(f"fields nest deeper than {MAX_DEPTH}", extensions={"code": "TOO_DEEP"}))
