"""An annotation that gives values the JSON schema of another type, at no cost to them."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class DescribedAs:
    """Describe a dictionary as values of another type, which it is not validated by."""

    kind: Any

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema of the other type."""
        return handler(TypeAdapter(self.kind).core_schema)
