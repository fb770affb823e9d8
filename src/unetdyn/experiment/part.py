"""What every part of the configuration is."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unetdyn._checks import nearest

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Part(BaseModel):
    """A part of the configuration: immutable, closed to keys that it does not know, and to infinity and NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    known = ", ".join(cls.model_fields)
                    raise ValueError(f"unknown key {key!r}.{nearest(key, cls.model_fields)} Known keys: {known}")
        return values
