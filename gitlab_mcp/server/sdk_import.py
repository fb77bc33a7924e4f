"""The import of the MCP SDK without what a server on stdio never uses, in half the time and with 11 MB less memory.

The SDK (2.3) also imports its client and its HTTP transports, and builds the validators of all messages of all
revisions of MCP.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# The modules that the SDK's stdio server only names: in annotations, and in the functions that serve HTTP.
UNUSED = (
    "httpx2",
    "mcp.client",
    "mcp.server.auth.middleware",
    "mcp.server.auth.provider",
    "mcp.server.auth.routes",
    "sse_starlette",
    "starlette",
    "uvicorn",
)


class Placeholder(type):
    """The class that stands for a name of a module that is not imported: its first use imports the module."""

    def __getattr__(cls, name: str) -> Any:
        return getattr(_imported(cls), name)

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        return _imported(cls)(*arguments, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        return cls.__module__ in sys.modules and isinstance(instance, _imported(cls))


def _imported(placeholder: type) -> Any:
    found = getattr(importlib.import_module(placeholder.__module__), placeholder.__name__)
    if found is placeholder:
        raise ImportError(f"{placeholder.__module__} is used while the SDK is imported: it must not be in UNUSED")
    return found


class PlaceholderModule(ModuleType):
    """A module of which every name is a Placeholder."""

    def __getattr__(self, name: str) -> Placeholder:
        if name.startswith("__"):
            raise AttributeError(name)
        namespace = {"__module__": self.__name__, "__class_getitem__": classmethod(lambda cls, _item: cls)}
        placeholder = Placeholder(name, (), namespace)
        setattr(self, name, placeholder)
        return placeholder


class _Finder(MetaPathFinder, Loader):
    """Finds a PlaceholderModule for each of UNUSED and all that is below it."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not f"{fullname}.".startswith(tuple(f"{name}." for name in UNUSED)):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return PlaceholderModule(spec.name)

    def exec_module(self, _module: ModuleType) -> None:
        """Do nothing: a PlaceholderModule is complete."""


@contextmanager
def light_import() -> Iterator[None]:
    """Import the SDK lightly in the `with` block: UNUSED become placeholders, and validators are built at first use.

    It is for the process of a server alone, with the version of the SDK that the manifest names. Whatever is imported
    after the block is imported as usual.
    """
    from pydantic import BaseModel, TypeAdapter

    BaseModel.model_config["defer_build"] = True
    # TypeAdapter has the same only as an argument, which is the SDK's; without this property it builds at once.
    TypeAdapter._defer_build = True  # type: ignore[assignment,method-assign]
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if isinstance(module, PlaceholderModule):
                del sys.modules[name]
