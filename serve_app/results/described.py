"""Annotations that give plain dictionaries a named JSON schema, at no cost to values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Named:
    """Describe a dictionary with the same keys always as an object with these properties."""

    names: Iterable[str]

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema with a property for each name."""
        schema = handler(core)
        value = schema.pop("additionalProperties")
        return schema | {
            "properties": dict.fromkeys(self.names, value),
            "required": list(self.names),
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class DescribedAs:
    """Describe a dictionary as values of another type, which it is not validated by."""

    kind: Any

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema of the other type."""
        return handler(TypeAdapter(self.kind).core_schema)
