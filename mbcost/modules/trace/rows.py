"""Calls of modules as cost rows. Importing this imports torch; only ``trace`` does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import prod

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mbcost.cost import CONVENTIONS, CONVOLUTIONS, LayerCost, Terms
from mbcost.graph.primitives import Shape
from mbcost.modules.trace.calls import STANDARD, STANDARD_NORMS
from mbcost.modules.trace.operators import OpCost
from mbcost.modules.trace.recording import Call, Event, Recording

_NORMS = ("batch_norm", "norm")
_WEIGHTED = (*CONVOLUTIONS, "linear", "matmul")
_PRIORITY = ("batch_norm", "norm", "pool", "activation", "embedding", "scale", "add", "other")


def layer_costs(recording: Recording) -> tuple[LayerCost, ...]:
    """Return a row per call of a module without children, and per operator of any other.

    A parameter is counted where it is first used; those that no operator used have a row of their
    own. Shapes are of one image, figures of all that ran.
    """
    return tuple(_Rows(recording).rows())


class _Rows:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.sizes = {id(p): p.numel() for p in recording.model.parameters()}
        self.counted: set[int] = set()
        self.found: list[LayerCost] = []

    def rows(self) -> list[LayerCost]:
        for call in self.recording.calls:
            if any(True for _ in call.module.children()):  # one may be empty, or have no len
                self.functional(call)
            else:
                self.leaf(call)
        self.unused()
        return self.found

    def leaf(self, call: Call) -> None:
        """A module without children is one row, whatever operators it ran."""
        own = dict(call.module.named_parameters(recurse=False))
        if not call.events:
            if own:
                terms = _with_excess(call, self.take(own, "other"))
                self.append(call, call.path, OpCost("other", (), call.y), terms, saved=True)
            return
        main = _as_linear(call.module, max(call.events, key=_importance))
        terms = call.terms
        for event in call.events:
            terms = terms.plus(event.cost.terms)
        terms = self.as_module(call, main, terms)
        terms = terms.plus(self.take(own, main.kind))
        for event in call.events:  # parameters of another module, used here
            terms = terms.plus(self.take_used(event))
        if own:
            terms = _with_excess(call, terms)
        y = call.y or call.events[-1].cost.y
        main = _with_shapes(main, call.events[0].cost.x if main.kind == "other" else main.x, y)
        self.append(call, call.path, main, terms, saved=bool(own))

    def as_module(self, call: Call, main: OpCost, terms: Terms) -> Terms:
        """Return the terms with those that depend on the module's class."""
        module = call.module
        if main.kind == "linear" and isinstance(module, nn.Linear) and module.bias is not None:
            missing = terms.mult_adds // module.in_features - terms.bias_adds
            if missing > 0:  # torch multiplies first and adds the bias in a second operator
                terms = terms._replace(
                    bias_adds=terms.bias_adds + missing, unfused_bias_adds=missing
                )
        own = sum(p.numel() for p in module.parameters(recurse=False))
        if not own:
            terms = _as_function(terms)
        elif type(module) not in STANDARD:
            terms = terms._replace(
                subclass_mult_adds=terms.mult_adds, subclass_bias_adds=terms.bias_adds
            )
        if own and main.kind == "linear" and call.y:
            once = own * (call.y[0] if len(call.y) > 1 else 1)
            terms = terms._replace(repeated_linear=terms.mult_adds + terms.bias_adds - once)
        if type(module) not in STANDARD_NORMS:
            terms = _as_norm_function(terms)
        return terms

    def functional(self, call: Call) -> None:
        """Each operator that a module with children runs itself is a row of its own."""
        names: Counter[str] = Counter()
        own = {id(p) for p in call.module.parameters(recurse=False)}
        for i, event in enumerate(call.events):
            names[event.name] += 1
            number = names[event.name]
            path = f"{call.path or 'self'}:{event.name}{number if number > 1 else ''}"
            if call.path and number == 1 and own & event.params.keys():
                path = call.path  # the module's own layer, such as a batch-norm that also activates
                own = set()
            terms = event.cost.terms.plus(call.terms) if i == 0 else event.cost.terms
            terms = _as_norm_function(_as_function(terms)).plus(self.take_used(event))
            terms = terms._replace(functional_norm_params=terms.norm_params)
            self.append(call, path, event.cost, terms)

    def take(self, own: dict[str, nn.Parameter], kind: str) -> Terms:
        """Return a module's own parameters as terms, each unless it was counted before."""
        terms = Terms()
        for name, parameter in own.items():
            role = "bias" if "bias" in name else "weight"
            terms = terms.plus(self.parameter(id(parameter), role, kind))
        return terms

    def take_used(self, event: Event) -> Terms:
        terms = Terms()
        for owner, role in event.params.items():
            terms = terms.plus(self.parameter(owner, role, event.cost.kind))
        return terms

    def parameter(self, owner: int, role: str, kind: str) -> Terms:
        size = self.sizes.get(owner, 0)
        if owner in self.counted or not size:
            return Terms()
        self.counted.add(owner)
        if kind in _NORMS and role != "other":
            return Terms(norm_params=size)
        if kind in _WEIGHTED and role != "other":
            return Terms(bias_params=size) if role == "bias" else Terms(weights=size)
        return Terms(other_params=size)

    def append(
        self, call: Call, path: str, cost: OpCost, terms: Terms, *, saved: bool = False
    ) -> None:
        if cost.kind == "batch_norm" and isinstance(call.module, _BatchNorm) and call.number == 1:
            stored = (call.module.running_mean, call.module.running_var)
            terms = terms._replace(norm_buffers=sum(b.numel() for b in stored if b is not None))
        if cost.kind == "other" and not any(terms):
            return
        conv = cost.kind in CONVOLUTIONS
        strip = (lambda shape: shape[1:]) if conv else self.recording.without_batch
        self.found.append(
            LayerCost(
                path if call.number == 1 else f"{path}#{call.number}",
                _block(call.path),
                cost.kind,
                strip(cost.x),
                strip(cost.y),
                terms,
                kernel=cost.kernel,
                stride=cost.stride,
                groups=cost.groups,
                transposed=cost.transposed,
                put_out=prod(cost.y) if cost.y else 0,
                saved=saved,
            )
        )

    def unused(self) -> None:
        """Parameters that the forward never read: auxiliary heads in eval mode."""
        for path, module in self.recording.model.named_modules():
            own = {
                name: p
                for name, p in module.named_parameters(recurse=False)
                if id(p) not in self.counted
            }
            if own:
                kind = _kind_of_class(module)
                terms = self.take(own, kind)
                terms = terms._replace(functional_norm_params=terms.norm_params)  # never called
                cost = OpCost(kind, (), ())
                call = Call(path, module, 1)
                self.append(call, path or "self:parameters", cost, terms)


def _with_excess(call: Call, terms: Terms) -> Terms:
    """Return a leaf's terms with what torchinfo's rule, ``LayerInfo.calculate_macs``, gives beyond
    them: parameters times positions, where the class name says which dimensions are positions."""
    y, found = call.y, 0
    for name, parameter in call.module.named_parameters(recurse=False) if y else ():
        if name in ("weight", "bias"):
            conv = "Conv" in type(call.module).__name__
            found += parameter.numel() * (prod((y[0], *y[2:])) if conv else y[0])
        elif "weight" in name or "bias" in name:
            found += parameter.numel() * prod(y[:2])
    known = CONVENTIONS["torchinfo"].total(terms)
    return terms._replace(parameter_rule_excess=found - known)


def _as_linear(module: nn.Module, event: Event) -> OpCost:
    """Return an operator's cost, that of a linear layer in batches as of one product: where no
    gradient can be asked for, torch expands its weight over a map that it cannot view as 2-D."""
    cost = event.cost
    if isinstance(module, nn.Linear) and id(module.weight) in event.params and len(cost.x) == 3:
        return replace(cost, kind="linear", x=(prod(cost.x[:-1]), cost.x[-1]))
    return cost


def _as_function(terms: Terms) -> Terms:
    return terms._replace(
        functional_mult_adds=terms.mult_adds, functional_bias_adds=terms.bias_adds
    )


def _as_norm_function(terms: Terms) -> Terms:
    elements = terms.norm_elements + terms.layer_norm_elements
    return terms._replace(functional_norm_elements=elements)


def _kind_of_class(module: nn.Module) -> str:
    """Return the kind of a module that was never called, from its class alone."""
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, _BatchNorm):
        return "batch_norm"
    return "conv" if type(module) in STANDARD else "other"


def _importance(event: Event) -> tuple[int, int]:
    kind = event.cost.kind
    rank = len(_PRIORITY) - _PRIORITY.index(kind) if kind in _PRIORITY else 0
    return event.cost.terms.mult_adds, rank


def _with_shapes(cost: OpCost, x: Shape, y: Shape) -> OpCost:
    return cost if cost.kind in CONVOLUTIONS else replace(cost, x=x, y=y)


def _block(path: str) -> str:
    """Return the part of a path that a reader calls a block: ``features.3``, ``layer1.0``."""
    first, *rest = path.split(".")
    return f"{first}.{rest[0]}" if rest and rest[0].isdigit() else first
