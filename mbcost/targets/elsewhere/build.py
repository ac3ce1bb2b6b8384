"""Builds a model from elsewhere: its parameters on the meta device, no weights, no pollution.

Only the allocation of parameters is redirected, not the code that computes a design from numbers
(RegNets do so with tensors, which must have values). Buffers are small and keep theirs.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mbcost.errors import MbcostError
from mbcost.targets.elsewhere.source import Source

if TYPE_CHECKING:
    from torch import nn

SEED = 0
"""Of the values of a model that is built with some."""


def build(
    source: Source,
    options: Mapping[str, Any],
    size: tuple[int, int] | None = None,
    *,
    real: bool = False,
) -> nn.Module:
    """Return the model in eval mode, parameters on meta, or raise naming what went wrong.

    ``size`` becomes the builder's own argument where it has one. ``real`` builds it with values,
    the same ones every time: those of its own initialisation, by a seed.
    """
    from torch import nn

    from mbcost.modules.trace.untouched import untouched

    with quiet(source.place), _no_downloads(source.place), untouched():
        given = dict(options)
        if size is not None:
            given = {**source.size_options(size), **given}
        built: Any = _with_values(source, given) if real else _without_values(source, given)
    if not isinstance(built, nn.Module):
        raise MbcostError(
            f"returned {type(built).__name__}, not a torch.nn.Module",
            place=source.place,
            way_out="return the model from it",
        )
    for part in built.modules():
        part.training = False
    return built


def _with_values(source: Source, given: Mapping[str, Any]) -> Any:
    import torch

    torch.manual_seed(SEED)
    random.seed(SEED)
    return source.construct(given)


def _without_values(source: Source, given: Mapping[str, Any]) -> Any:
    """Build with parameters on meta; if the builder mixes them with tensors of its own, with every
    tensor on meta; if it reads values, with values."""
    import torch

    from mbcost.modules.trace.values import asks_for_values

    for device in (_parameters_on_meta(), torch.device("meta")):
        try:
            with device:
                return source.construct(given)
        except Exception as error:
            if not asks_for_values(error):
                raise
    return _with_values(source, given)


@contextlib.contextmanager
def quiet(place: str) -> Iterator[None]:
    """Send what foreign code prints to stderr; turn what it raises into an ``MbcostError``."""
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about weights and initialisation: not used here
            yield
    except MbcostError:
        raise
    except SystemExit as error:
        raise MbcostError(
            f"its code exits (code {error.code})",
            place=place,
            way_out="guard what runs on import with if __name__ == '__main__'",
        ) from error
    except ModuleNotFoundError as error:
        raise MbcostError(
            f"imports {error.name!r}, which is not installed",
            place=_where(error, place),
            way_out=f"pip install {error.name}",
        ) from error
    except RecursionError as error:
        raise MbcostError(
            "recurses without end",
            place=_where(error, place),
            way_out="correct the function that calls itself",
        ) from error
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise MbcostError(
            f"building it fails: {type(error).__name__}: {first}",
            place=_where(error, place),
            way_out="arguments of the builder stand behind @, like @depth=18,pretrained=false",
        ) from error


@contextlib.contextmanager
def running(place: str) -> Iterator[None]:
    """Send what a forward prints to stderr, and turn an exit in it into an ``MbcostError``."""
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SystemExit as error:
        raise MbcostError(
            f"its forward exits (code {error.code})", place=place, way_out="let it return"
        ) from error


def _where(error: BaseException, place: str) -> str:
    """Return the place with the line of the user's file where the error arose, if it is in one."""
    path = place.rpartition(":")[0]
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if path.endswith(".py") and _same(f.filename, path)]
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    return f"{place}: line {lines[-1]}" if lines else place


def _same(one: str, other: str) -> bool:
    return os.path.abspath(one) == os.path.abspath(other)


@contextlib.contextmanager
def _no_downloads(place: str) -> Iterator[None]:
    """Refuse to load weights while a model is built: costs need none."""
    import torch.hub

    def refuse(url: str, *args: Any, **kwargs: Any) -> Any:
        raise MbcostError(
            f"would download weights from {url}",
            place=place,
            way_out="build it without them, such as @pretrained=false",
        )

    hub: Any = torch.hub
    kept = hub.download_url_to_file
    offline = os.environ.get("HF_HUB_OFFLINE")
    hub.download_url_to_file = refuse
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        yield
    finally:
        hub.download_url_to_file = kept
        if offline is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = offline


@contextlib.contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """Move every parameter to the meta device as it is registered, before it is initialised."""
    from torch import nn
    from torch.nn.parameter import is_lazy

    register = nn.Module.register_parameter

    def on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        if param is not None and not is_lazy(param) and param.device.type != "meta":
            moved = nn.Parameter(param.data.to("meta"), param.requires_grad)
            for key, value in vars(param).items():
                setattr(moved, key, value)
            param = moved
        register(self, name, param)

    module_class: Any = nn.Module
    module_class.register_parameter = on_meta
    try:
        yield
    finally:
        module_class.register_parameter = register


def with_zeros(module: nn.Module) -> nn.Module:
    """Give a module built on meta parameters of zeros on the CPU; what is shared stays shared.

    Pages of zeros are allocated when they are written, so a large model costs little memory.
    """
    import torch
    from torch import nn

    made: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is None or parameter.device.type != "meta":
                continue
            if id(parameter) not in made:
                zeros = torch.zeros(parameter.shape, dtype=parameter.dtype)
                made[id(parameter)] = nn.Parameter(zeros, parameter.requires_grad)
            part._parameters[name] = made[id(parameter)]
    return module
