"""What all sections are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

Weight = Annotated[float, Field(ge=0.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
Offload = Literal["none", "optimizer", "parameters"]


# Tags of a value that may be one number, or one for each language; no key reads like them.
ONE, BY_LOCALE = "one number", "number by language"
ByLocale = Annotated[
    Annotated[PositiveInt, Tag(ONE)] | Annotated[dict[Literal["en", "ko"], PositiveInt], Tag(BY_LOCALE)],
    Discriminator(lambda given: BY_LOCALE if isinstance(given, Mapping) else ONE),
]


def runtime_only(default: Any, **bounds: Any) -> Any:
    """A field that cannot change a result and therefore stays out of the key."""
    return Field(default, json_schema_extra={"runtime_only": True}, **bounds)


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values are not changed after loading.

    The text under a field is its description, from which docs/recipe-keys.md is made.
    """

    model_config = ConfigDict(
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
        validate_default=True,
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, which are not validated again.

        Raises:
            TypeError: `update` holds what is no field; pydantic alone would take it without a word.
        """
        if unknown := set(update or {}) - set(type(self).model_fields):
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return super().model_copy(update=update, deep=deep)

    @model_validator(mode="before")
    @classmethod
    def _fill_nested(cls, given: Any) -> Any:
        """A key that a nested section leaves out is as where the whole section is left out."""
        if not isinstance(given, Mapping):
            return given
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return {name: _filled(defaults.get(name), value) for name, value in given.items()}

    @field_validator("*", mode="after")
    @classmethod
    def _no_repeats(cls, value: Any, info: ValidationInfo) -> Any:
        """What a list names twice would be read, asked or measured twice."""
        lists = (
            [value] if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
        )
        for named in (each for each in lists if isinstance(each, list)):
            for at, each in enumerate(named):
                if isinstance(each, (str, Section)) and each in named[:at]:
                    raise ValueError(f"{each if isinstance(each, str) else 'an entry'} is named twice")
        return value


def _filled(default: Any, given: Any) -> Any:
    """What is given, and the rest from the default, where both are sections."""
    if not (isinstance(default, Section) and isinstance(given, Mapping)):
        return given
    values = {name: getattr(default, name) for name in type(default).model_fields}
    return values | {name: _filled(values.get(name), value) for name, value in given.items()}
