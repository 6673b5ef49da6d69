"""What an operation costs at most, reckoned before it is run: objects that it may read, lists by their `first`.

The idea is that of static analysis with multipliers as in "GraphQL Cost Directives" (IBM): an object costs 1, a scalar
nothing, a mutation 10; what is below a list costs as often as the list may be long. Fragments are reckoned once each.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

from consentline.gql.limits import fragments_of

LIST = 10
"""How long a list without `first` is taken to be: they are short, or bounded at 1,000 and rarely near it."""
MUTATION = 10
_FIRST = "first"


class Reckoning:
    """Reckons the operations of one valid document; the answer is kept where it rests on no variable."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = fragments_of(document)
        self._kept: dict[int, int] = {}

    def cost(self, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> int:
        """The most that the operation costs with these variables."""
        kept = self._kept.get(id(operation))
        if kept is not None:
            return kept
        walk = _Walk(self._schema, self._fragments, _defaults(operation) | dict(variables or {}))
        cost = walk.of(operation.selection_set, self._schema.get_root_type(operation.operation))
        if operation.operation is OperationType.MUTATION:
            cost += MUTATION * len(operation.selection_set.selections)
        if not walk.rests_on_variables:
            self._kept[id(operation)] = cost
        return cost


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    return {
        each.variable.name.value: int(each.default_value.value)
        for each in operation.variable_definitions or ()
        if isinstance(each.default_value, IntValueNode)
    }


class _Walk:
    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._reckoned: dict[str, int] = {}
        self.rests_on_variables = False

    def of(self, selections: SelectionSetNode | None, parent: Any) -> int:
        cost = 0
        for each in selections.selections if selections else ():
            match each:
                case FieldNode():
                    cost += self._of_field(each, parent)
                case InlineFragmentNode():
                    condition = each.type_condition
                    type_ = parent if condition is None else self._schema.get_type(condition.name.value)
                    cost += self.of(each.selection_set, type_)
                case FragmentSpreadNode():
                    cost += self._of_fragment(each.name.value)
                case _:
                    pass
        return cost

    def _of_fragment(self, name: str) -> int:
        if name not in self._reckoned:
            self._reckoned[name] = 0
            fragment = self._fragments[name]
            type_ = self._schema.get_type(fragment.type_condition.name.value)
            self._reckoned[name] = self.of(fragment.selection_set, type_)
        return self._reckoned[name]

    def _of_field(self, node: FieldNode, parent: Any) -> int:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return 0
        field = parent.fields.get(node.name.value)
        if field is None:
            # __typename, __schema and __type: small, and bounded by the schema.
            return 0
        named: Any = get_named_type(_type_of(field))  # pyright: ignore[reportUnknownVariableType] - generics are open
        if is_leaf_type(named):
            return 0
        return 1 + self._length(node, field, parent.name) * self.of(node.selection_set, named)

    def _length(self, node: FieldNode, field: GraphQLField, parent: str) -> int:
        if _FIRST not in field.args:
            listed = str(_type_of(field)).startswith("[")
            # The edges of a connection are as many as it was asked for: they were multiplied there.
            return LIST if listed and not parent.endswith("Connection") else 1
        given = next((each.value for each in node.arguments or () if each.name.value == _FIRST), None)
        value: Any = field.args[_FIRST].default_value
        if isinstance(given, VariableNode):
            self.rests_on_variables = True
            value = self._variables.get(given.name.value, value)
        elif isinstance(given, IntValueNode):
            value = int(given.value)
        return max(value, 1) if isinstance(value, int) and value is not Undefined else 1


def _type_of(field: Any) -> Any:
    """The field's type; graphql-core's own annotation is open in its generics."""
    return field.type
