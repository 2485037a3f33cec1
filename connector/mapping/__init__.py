"""The field-mapping engine: an admin's YAML rules, checked once, applied to every record."""

from connector.mapping.load import load_mapping
from connector.mapping.spec import FieldError, FieldMapping, FieldSpec, FieldType, MappingSpec, Section, SectionSpec

__all__ = [
    "FieldError",
    "FieldMapping",
    "FieldSpec",
    "FieldType",
    "MappingSpec",
    "Section",
    "SectionSpec",
    "load_mapping",
]
