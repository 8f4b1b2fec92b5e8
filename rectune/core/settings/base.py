"""What all sections are made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Offload = Literal["none", "optimizer", "parameters"]


def free(default: Any, **bounds: Any) -> Any:
    """A field that cannot change a result and therefore stays out of the key."""
    return Field(default, json_schema_extra={"free": True}, **bounds)


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values are not changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
