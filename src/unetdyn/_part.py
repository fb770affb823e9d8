"""What every part of the configuration is."""

from typing import Annotated, Any, get_args

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

    @model_validator(mode="before")
    @classmethod
    def _refuse_switches_for_numbers(cls, values: Any) -> Any:
        for key, value in values.items() if isinstance(values, dict) else ():
            held = value if isinstance(value, list | tuple) else [value]
            if key in cls.model_fields and any(isinstance(each, bool) for each in held):
                kinds = set(_kinds(cls.model_fields[key].annotation))
                if bool not in kinds and not kinds.isdisjoint((int, float)):
                    raise ValueError(f"`{key}` must be a number, which true and false are not. Received: {value}")
        return values


def _kinds(annotation: Any) -> list[Any]:
    """The types that an annotation is made of; of a choice of values those of the values."""
    inner = [kind for each in get_args(annotation) for kind in _kinds(each)]
    return inner or [annotation if isinstance(annotation, type) else type(annotation)]
