"""What a copied tensor holds: a shape on the meta device, or its values. Importing this imports
torch; only ``trace`` does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor


class NoCopyError(Exception):
    """Something that a model holds cannot be copied; ``Twin`` says where it is."""

    def __init__(self, reason: str, module: nn.Module | None = None, way_out: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.module = module
        self.attribute = ""
        self.way_out = way_out


class Data:
    """Copies of tensors that share a storage where the tensors do."""

    def __init__(self, *, real: bool, fake: Any = None) -> None:
        """Copy on the meta device, or, ``real``, with their values to the CPU; or as tensors of a
        ``FakeTensorMode``, which are on the CPU and have no values."""
        self.real = real
        self.fake = fake
        self.shares = False
        """Whether a storage was met twice."""
        self._first: dict[int, Tensor] = {}

    def copy(self, x: Tensor) -> Tensor:
        """Return a plain tensor like ``x``."""
        if self.real and x.is_meta:
            raise NoCopyError(
                "its path depends on values, and it is on the meta device, which has none",
                way_out="count a model whose weights have values",
            )
        if x.layout is torch.strided and not x.is_quantized:
            made = self._strided(x)
        else:
            try:
                made = x.detach().to("cpu", copy=True) if self.real else x.detach().to("meta")
            except Exception as error:
                raise NoCopyError(
                    f"a {x.layout} tensor of {x.dtype} has no twin on meta"
                ) from error
        if self.fake is None:
            return made
        return FakeTensor(self.fake, made, torch.device("cpu"))

    def _strided(self, x: Tensor) -> Tensor:
        storage: Any = x.untyped_storage()
        first = self._first.get(storage._cdata)
        if first is None:
            if self.real:
                values = storage.clone() if x.device.type == "cpu" else storage.cpu()
                first = torch.empty(0, dtype=torch.uint8).set_(values)
            elif storage.nbytes() == x.numel() * x.element_size():
                made = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta")
                self._first[storage._cdata] = made
                return made
            else:
                first = torch.empty(storage.nbytes(), dtype=torch.uint8, device="meta")
            self._first[storage._cdata] = first
        else:
            self.shares = True
        shared: Any = first.untyped_storage()
        part = torch.empty(0, dtype=x.dtype, device=first.device)
        part.set_(shared, x.storage_offset(), x.shape, x.stride())
        return part
