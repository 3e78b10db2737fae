"""How a tool's inputs look in an editor. Nothing here changes what runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DynamicList", "GeneratedBy", "InputSetting"]


@dataclass(slots=True)
class DynamicList:
    """The choices of an input come from a function, whose parameters are fed from other inputs."""

    function: str | Callable[..., Any]
    input_mapping: Mapping[str, str] | None = None


@dataclass(slots=True)
class GeneratedBy:
    """The value of an input is made by a function from other inputs."""

    function: str | Callable[..., Any]
    reverse_function: str | Callable[..., Any] | None = None
    input_settings: Mapping[str, InputSetting] = field(default_factory=dict)


class InputSetting:
    """How one input looks in an editor; keywords that are not known here are kept in ``other``."""

    def __init__(
        self,
        *,
        is_multi_select: bool | None = None,
        allow_manual_entry: bool | None = None,
        enabled_by: str | None = None,
        enabled_by_value: Sequence[Any] | None = None,
        dynamic_list: DynamicList | None = None,
        generated_by: GeneratedBy | None = None,
        **other: Any,
    ) -> None:
        self.is_multi_select = is_multi_select
        self.allow_manual_entry = allow_manual_entry
        self.enabled_by = enabled_by
        self.enabled_by_value = enabled_by_value
        self.dynamic_list = dynamic_list
        self.generated_by = generated_by
        self.other = other
