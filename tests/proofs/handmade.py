"""Small modules as people write them, drawn at random: what ``tests.proofs.models`` counts.

Each draws its widths, and how it calls what it calls; several do to themselves what a forward
should not. To add one: a function ``Random -> (module, inputs)`` and its line in ``HANDMADE``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

Drawn = tuple[nn.Module, tuple[Tensor, ...]]


class Written(nn.Module):
    """A forward as a function of the module itself."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.written = forward

    def forward(self, *inputs: Tensor) -> Any:
        """Call the function with the module before the inputs."""
        return self.written(self, *inputs)


def _convolutions(draw: random.Random) -> Drawn:
    """A chain of grouped, dilated, strided convolutions with norms, activations and pools."""
    dims = draw.choice((1, 2, 2, 2, 3))
    conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
    norm = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dims]
    side = {1: 64, 2: 24, 3: 10}[dims]
    layers: list[nn.Module] = []
    c = first = 4 * draw.randint(1, 3)
    for _ in range(draw.randint(1, 4)):
        width, groups = 4 * draw.randint(1, 4), draw.choice((1, 1, 2, 4))
        padding: Any = draw.choice((1, 2))
        layers.append(
            conv(c, width, 3, draw.choice((1, 2)), padding, draw.choice((1, 1, 2)), groups,
                 bias=draw.random() < 0.5)
        )  # fmt: skip
        layers.append(draw.choice((norm(width), nn.GroupNorm(2, width), nn.Identity())))
        layers.append(draw.choice((nn.ReLU(inplace=True), nn.PReLU(), nn.SiLU(), nn.GELU())))
        c = width
    return nn.Sequential(*layers), (torch.randn(draw.randint(1, 3), first, *[side] * dims),)


def _decoder(draw: random.Random) -> Drawn:
    """Transposed convolutions, upsampling, a skip that is concatenated."""
    c, k, s = 4 * draw.randint(1, 3), draw.randint(2, 4), draw.randint(1, 3)
    up = nn.ConvTranspose2d(c, 8, k, s, draw.randint(0, 1), groups=draw.choice((1, 4)))

    def forward(self: Any, x: Tensor) -> Tensor:
        y = self.up(x)
        y = F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)
        out: Tensor = self.head(torch.cat([y, x], dim=1))
        return out

    head = nn.Conv2d(8 + c, 5, 1)
    return Written(forward, up=up, head=head), (torch.randn(draw.randint(1, 3), c, 9, 11),)


def _encoder(draw: random.Random) -> Drawn:
    """Transformer layers, with and without a mask of padded tokens."""
    heads = draw.randint(1, 4)
    width, n, t = 4 * heads, draw.randint(1, 3), draw.randint(2, 9)
    first = draw.random() < 0.7
    layer = nn.TransformerEncoderLayer(
        width, heads, 3 * width, batch_first=first, norm_first=draw.random() < 0.5
    )
    stack = nn.TransformerEncoder(layer, draw.randint(1, 3), enable_nested_tensor=False)
    causal = draw.random() < 0.4

    def forward(self: Any, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(t).to(x.device) if causal else None
        y: Tensor = self.stack(x, mask=mask)
        return y

    return Written(forward, stack=stack), (torch.randn((n, t, width) if first else (t, n, width)),)


def _attention(draw: random.Random) -> Drawn:
    """``scaled_dot_product_attention`` with its arguments in any order."""
    n, heads, t, keys, width, values = (draw.randint(1, 5) for _ in range(6))
    order = ["query", "key", "value", "scale"]
    draw.shuffle(order)
    way = draw.choice(("plain", "shuffled", "causal", "vmap", "broadcast"))

    def forward(self: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        given = {"query": q, "key": k, "value": v, "scale": 0.5}
        sdpa: Any = F.scaled_dot_product_attention
        if way == "vmap":
            out: Tensor = torch.vmap(sdpa)(q, k, v)
        elif way == "broadcast":
            out = sdpa(q[:1], value=v, key=k)
        elif way == "causal":
            out = sdpa(q, k, v, is_causal=True)
        else:
            out = sdpa(**{name: given[name] for name in order})
        return out

    shapes = ((n, heads, t, width), (n, heads, keys, width), (n, heads, keys, values))
    return Written(forward), tuple(torch.randn(shape) for shape in shapes)


def _heads(draw: random.Random) -> Drawn:
    """``nn.MultiheadAttention`` over other keys and values, weights returned or not."""
    heads = draw.randint(1, 3)
    width, kdim = 4 * heads, draw.choice((None, 6))
    part = nn.MultiheadAttention(width, heads, batch_first=True, kdim=kdim, vdim=kdim)
    need = draw.random() < 0.5

    def forward(self: Any, x: Tensor, y: Tensor) -> Tensor:
        out: Tensor = self.part(x, y, y, need_weights=need)[0]
        return out

    n = draw.randint(1, 3)
    return Written(forward, part=part), (torch.randn(n, 4, width), torch.randn(n, 7, kdim or width))


def _recurrent(draw: random.Random) -> Drawn:
    """LSTM, GRU and RNN, of several layers and both directions."""
    kind: Any = draw.choice((nn.LSTM, nn.GRU, nn.RNN))
    width = draw.randint(2, 6)
    part = kind(
        width,
        draw.randint(2, 6),
        draw.randint(1, 2),
        batch_first=draw.random() < 0.5,
        bidirectional=draw.random() < 0.5,
        bias=draw.random() < 0.7,
    )
    return part, (torch.randn(draw.randint(1, 3), draw.randint(2, 5), width),)


def _products(draw: random.Random) -> Drawn:
    """``einsum``, ``@``, ``bmm``, ``tensordot``, ``inner``, ``multi_dot``."""
    b, i, j, k = (draw.randint(2, 6) for _ in range(4))

    def forward(self: Any, x: Tensor, y: Tensor) -> list[Tensor]:
        found = [
            torch.einsum("bij,bjk->bik", x, y),
            x @ y,
            torch.bmm(x, y),
            torch.tensordot(x, y[0], 1),
            torch.inner(x, y.mT[0]),
            torch.linalg.multi_dot([x[0], y[0], y[0].mT]),
            torch.matmul(x[0], y),
            torch.einsum("bij,bjk->", x, y),
        ]
        return found[: self.kept]

    return Written(forward, kept=draw.randint(1, 8)), (torch.randn(b, i, j), torch.randn(b, j, k))


def _vectors(draw: random.Random) -> Drawn:
    """What FlopCounterMode has no formula for: bilinear layers, distances, matrix by vector."""
    n, a, b = draw.randint(1, 4), draw.randint(2, 5), draw.randint(2, 5)

    def forward(self: Any, x: Tensor, y: Tensor) -> list[Tensor]:
        return [
            self.part(x, y),
            torch.cdist(x, x),
            torch.mv(x, x[0]),
            torch.dot(x[0], x[0]),
            torch.addbmm(x @ x.mT, x[None], x.mT[None]),
        ][self.first :]

    part = nn.Bilinear(a, b, 3)
    return Written(forward, part=part, first=draw.randint(0, 4)), (
        torch.randn(n, a),
        torch.randn(n, b),
    )


def _shared(draw: random.Random) -> Drawn:
    """A layer called several times, tied weights, one that is never called."""
    width, times = draw.randint(2, 9), draw.randint(1, 4)
    fc, tied = nn.Linear(width, width), nn.Linear(width, width)
    tied.weight = fc.weight

    def forward(self: Any, x: Tensor) -> Tensor:
        for _ in range(times):
            x = self.fc(x).relu()
        out: Tensor = self.tied(x)
        return out

    module = Written(forward, fc=fc, tied=tied, spare=nn.Conv2d(3, 4, 3))
    return module, (torch.randn(draw.randint(1, 3), width),)


def _functional(draw: random.Random) -> Drawn:
    """Weights of the module's own in functions, in a list, and under parametrisations."""
    c = draw.randint(2, 6)
    normed = nn.Linear(c, 4)
    if draw.random() < 0.7:
        normed = nn.utils.parametrizations.weight_norm(normed)

    def forward(self: Any, x: Tensor) -> Tensor:
        y = F.conv2d(x, self.weight, padding="same")
        for scale in self.scales:
            y = y * scale
        out: Tensor = self.normed(y.flatten(2)[..., :c])
        return out

    module = Written(
        forward,
        weight=nn.Parameter(torch.randn(c, c, 3, 3)),
        scales=nn.ParameterList([nn.Parameter(torch.ones(c, 1, 1)) for _ in range(2)]),
        normed=normed,
    )
    return module, (torch.randn(draw.randint(1, 3), c, 8, 8),)


def _meddling(draw: random.Random) -> Drawn:
    """Counts its calls, keeps maps in attributes and lists, draws random numbers, adds hooks."""
    c = draw.randint(2, 6)

    def forward(self: Any, x: Tensor) -> Tensor:
        self.calls += 1
        self.steps += 1
        self.seen.append(x)
        self.last = x
        self.steps = self.steps * 2
        self.conv.weight.requires_grad_(False)
        self.conv.register_forward_hook(lambda *_: None)
        self.norm.train()
        y = self.norm(self.conv(x + torch.rand_like(x) * random.random()))
        y = F.dropout(y, 0.5, training=True)
        out: Tensor = y.to(x.device)
        return out

    norm = nn.BatchNorm2d(4).eval()
    module = Written(forward, conv=nn.Conv2d(c, 4, 3), norm=norm, calls=0, seen=[])
    module.register_buffer("steps", torch.zeros(2))
    return module, (torch.randn(draw.randint(2, 3), c, 8, 8),)


def _table(draw: random.Random) -> Drawn:
    """Work that does not depend on the batch beside work that does."""
    width, places = draw.randint(2, 8), draw.randint(3, 20)

    def forward(self: Any, x: Tensor) -> Tensor:
        bias = self.table(self.places)
        out: Tensor = self.fc(x) + bias.sum(0)
        return out

    module = Written(forward, table=nn.Linear(2, width), fc=nn.Linear(width, width))
    module.register_buffer("places", torch.randn(places, 2))
    return module, (torch.randn(draw.randint(1, 4), 5, width),)


def _residual(draw: random.Random) -> Drawn:
    """Squeeze-and-excite, a residual, ceil-mode pools, a head on a pooled map."""
    c = 4 * draw.randint(1, 4)

    def forward(self: Any, x: Tensor) -> Tensor:
        y = self.body(x)
        y = y * self.gate(y.mean((2, 3), keepdim=True)).sigmoid()
        y = F.max_pool2d(kernel_size=2, ceil_mode=True, input=x + y)
        out: Tensor = self.head(F.adaptive_avg_pool2d(y, 1).flatten(1))
        return out

    body = nn.Sequential(nn.Conv2d(c, c, 3, padding=1, groups=c), nn.BatchNorm2d(c), nn.ReLU6())
    module = Written(forward, body=body, gate=nn.Conv2d(c, c, 1), head=nn.Linear(c, 10))
    return module, (torch.randn(draw.randint(1, 3), c, 15, 13),)


HANDMADE: dict[str, Callable[[random.Random], Drawn]] = {
    "convolutions": _convolutions,
    "decoder": _decoder,
    "encoder": _encoder,
    "attention": _attention,
    "heads": _heads,
    "recurrent": _recurrent,
    "products": _products,
    "vectors": _vectors,
    "shared": _shared,
    "functional": _functional,
    "meddling": _meddling,
    "table": _table,
    "residual": _residual,
}
