"""The public schema: committed as it is exported, keeping the contract, described throughout, guarded throughout."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    DangerousChangeType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_introspection_type,
    is_object_type,
    is_specified_scalar_type,
)

from consentline.domain.access import Action
from consentline.gql import schema as public
from consentline.gql.access import action_of

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "schema" / "contract" / "core.graphql"
SHARED = ROOT.parent / "shared" / "contract" / "core.graphql"


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return build_schema(public.export(public.build_schema()))


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    return build_schema(CONTRACT.read_text(encoding="utf-8"))


def test_the_committed_schema_is_the_exported_one() -> None:
    committed = (ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8")

    assert committed == public.export(public.build_schema()), (
        "run: consentline export-schema --output schema/schema.graphql"
    )


def test_the_committed_contract_is_the_shared_one() -> None:
    if not SHARED.exists():
        assert CONTRACT.exists()
        return
    assert CONTRACT.read_text(encoding="utf-8") == SHARED.read_text(encoding="utf-8")


def test_nothing_of_the_contract_is_broken(contract: GraphQLSchema, ours: GraphQLSchema) -> None:
    assert find_breaking_changes(contract, ours) == []


def test_no_default_of_the_contract_has_changed(contract: GraphQLSchema, ours: GraphQLSchema) -> None:
    changes = find_dangerous_changes(contract, ours)

    assert [change for change in changes if change.type is DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE] == []


def test_no_default_of_an_input_field_of_the_contract_has_changed(contract: GraphQLSchema, ours: GraphQLSchema) -> None:
    """graphql-core compares the defaults of arguments only."""
    changed = [
        f"{name}.{field}"
        for name, type_ in contract.type_map.items()
        if is_input_object_type(type_)
        for field, value in type_.fields.items()
        if value.default_value != ours.type_map[name].fields[field].default_value  # pyright: ignore
    ]

    assert changed == []


def undescribed(schema: GraphQLSchema) -> Iterator[str]:
    for name, type_ in schema.type_map.items():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        if not type_.description:
            yield name
        if is_enum_type(type_):
            yield from (f"{name}.{value}" for value, each in type_.values.items() if not each.description)
        if is_input_object_type(type_):
            yield from (f"{name}.{field}" for field, each in type_.fields.items() if not each.description)
        if is_object_type(type_) or is_interface_type(type_):
            for field, each in type_.fields.items():
                if not each.description:
                    yield f"{name}.{field}"
                yield from (f"{name}.{field}({arg}:)" for arg, value in each.args.items() if not value.description)


def test_everything_is_described(ours: GraphQLSchema) -> None:
    assert list(undescribed(ours)) == []


def test_every_root_field_declares_who_may_ask_it() -> None:
    core = public.build_schema().core
    undeclared = [
        f"{root}.{name}"
        for root in (core.query_type, core.mutation_type, core.subscription_type)
        if root is not None
        for name, field in root.fields.items()
        if not isinstance(action_of(field), Action)
    ]

    assert undeclared == []


def test_a_root_field_without_an_action_keeps_the_schema_from_being_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "action_of", lambda field: None)

    with pytest.raises(TypeError, match=r"Query\.\w+ declares no action"):
        public.build_schema()
