"""What every record of figures is: frozen, whole, and checked both when it is made and when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]  # of things, or bytes
Share = Annotated[float, Field(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Interval = tuple[float, float]  # the ends of a 95 % interval


def json_name(name: str) -> str:
    """`hit_at_1` is `hit@1` in JSON, as the field writes it."""
    return name.replace("_at_", "@")


class Record(BaseModel):
    """Figures that belong together.

    All fields have to be given and no others can be; where a figure may be absent it is None, and the field
    says why. In JSON a field has its own name, but for `_at_`, which is `@`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        alias_generator=json_name,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        ser_json_inf_nan="constants",
    )

    def by_json_name(self) -> dict[str, Any]:
        """The fields by their names in JSON."""
        return {json_name(name): value for name, value in self}

    def document(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """The record as JSON text, a field a line."""
        return self.model_dump_json(indent=1)


class StageRecord(Record):
    """A record that a stage leaves in its folder: what it returns, which the manifest keeps, or a file."""

    stage: ClassVar[str]
    file: ClassVar[str] = "manifest.json"


class RowCounts(StageRecord):
    """The figures of a stage that rows flow through."""

    rows_in: Count
    """Rows that came in."""
    rows_out: Count
    """Rows that went out."""
    dropped: dict[str, Count]
    """Rows that did not get through, by reason. A row may count for more than one reason."""


class ShareInterval(Record):
    """A share of things counted, with its 95 % interval (Wilson's, unless it is said otherwise)."""

    share: Share | None
    """The share; None where there was nothing to count, which is no share of any size."""
    low: Share
    """The interval's lower end."""
    high: Share
    """The interval's upper end."""
    n: Count
    """How many things it is a share of."""


class MeanInterval(Record):
    """A mean with its 95 % interval, in the unit of what it is a mean of."""

    mean: float
    """The mean."""
    low: float | None
    """The interval's lower end; None where there are too few values for an interval."""
    high: float | None
    """The interval's upper end; None where there are too few values for an interval."""


class GgufFile(Record):
    """What a GGUF file is made of."""

    quantisation: str
    """llama.cpp's name for its type, such as Q8_0."""
    bytes: Count
    """Its size in bytes."""
    tensor_types: dict[str, Count]
    """How many tensors were really written in which type."""


def listed_json(records: Sequence[Record]) -> str:
    """Records as a JSON list, a line each."""
    return "[\n" + ",\n".join(record.model_dump_json() for record in records) + "\n]"


def complete(found: dict[Any, Any], names: Sequence[str]) -> dict[Any, Any]:
    """The entries, if there is one for every name.

    Raises:
        ValueError: names the missing ones.
    """
    if missing := [name for name in names if name not in found]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return found
