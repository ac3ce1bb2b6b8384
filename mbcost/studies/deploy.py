"""A target as a file that another program runs: written, read back, compared with the closed form.

``deployment`` makes the files and what is known of each; nothing is on the disk yet. What a file
holds is read by its format's own library and has to equal the closed form, layer by layer and byte
by byte; what its runtime puts out is compared with the folded module in torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mbcost.cost import CONVOLUTIONS, DTYPES, CostReport, LayerCost
from mbcost.errors import CheckFailedError, MbcostError
from mbcost.graph.arena import arena
from mbcost.graph.deployed import deployed as schedule_of
from mbcost.graph.liveness import peak
from mbcost.modules.counters import Workbench
from mbcost.modules.exported import FILE_FORMATS, PARAMETERS, Contents, FileFormat, FileLayer
from mbcost.networks.settings import as_record, as_text
from mbcost.targets.elsewhere import Model
from mbcost.targets.subject import Subject, deployed, trained
from mbcost.units import bytes_in_words, number, scientific, thousands

if TYPE_CHECKING:
    from mbcost.modules.exported.deployed import Deployed

LARGEST_MAPS_BYTES = 10**9
"""What a layer reads and puts out, of the batch, in float32, at most: it is run in two runtimes."""

ELEMENT_TYPES = {
    "fp32": ("float32", "float32", "float32"),
    "fp16": ("float16", "float16", "float16"),
    "int8": ("int8", "int32", "float32"),
}
"""By dtype, what weights, biases and what is left of batch-norms are stored as in a file."""


@dataclass(frozen=True)
class Storage:
    """How a network is stored: what was asked for."""

    dtype: str = "fp32"
    layout: str | None = None
    """None for what the format's programs expect."""
    input_range: tuple[float, float] = (-1.0, 1.0)
    weights: str | None = None
    """A file with a state dict; None for random weights."""
    seed: int = 0

    @property
    def weights_from(self) -> str:
        """Where the weights are from, in words."""
        return self.weights or f"random, seed {self.seed}"


class Written(NamedTuple):
    """One file: what was written, and what was found in it."""

    file: str
    form: FileFormat
    layout: str
    data: bytes
    contents: Contents
    difference: float
    """Of all outputs, the largest difference of an element ÷ the largest element of that output."""
    peak: int
    """The largest set of maps alive at once, in bytes: predicted, not measured."""
    arena: Planned | None
    """None where the runtime decides which operators there are."""


class Planned(NamedTuple):
    """The arena of a file's maps."""

    size: int
    """Bytes, as TFLite Micro's planner places them, by closed form."""
    measured: int | str
    """What TFLite Micro itself planned for the file; or why it did not."""


@dataclass(frozen=True)
class Deployment:
    """A subject, batch-norms folded, and the files that were made of it."""

    subject: Subject
    storage: Storage
    written: tuple[Written, ...]

    @property
    def report(self) -> CostReport:
        """What the closed form says of the subject."""
        return self.subject.report

    @cached_property
    def layers(self) -> dict[str, FileLayer]:
        """The convolutions and linear layers by path, as a file has to have them."""
        rows = (row for row in self.report.layers if row.kind in (*CONVOLUTIONS, "linear"))
        return {row.path: _expected(row, self.report.scale) for row in rows}

    @cached_property
    def elements(self) -> dict[str, int]:
        """The parameters by element type, as a file has to have them."""
        terms = self.report.terms
        found: dict[str, int] = {}
        counts = (terms.weights, terms.bias_params, terms.norm_params)
        for kind, count in zip(ELEMENT_TYPES[self.storage.dtype], counts, strict=True):
            if count:
                found[kind] = found.get(kind, 0) + count
        return found

    @property
    def predicted_bytes(self) -> int:
        """The bytes of the parameters by closed form."""
        return self.report.weight_bytes(self.storage.dtype)

    def files(self) -> dict[Path, bytes]:
        """Return what is to be written, by path."""
        return {Path(made.file): made.data for made in self.written}

    def matched(self, made: Written) -> int:
        """Return how many layers of a file are those of the closed form, with all figures."""
        return sum(self.layers.get(layer.path) == layer for layer in made.contents.layers)

    def problems(self, made: Written) -> Iterator[str]:
        """Yield how a file differs from the closed form."""
        found = {layer.path: layer for layer in made.contents.layers}
        if len(found) < len(made.contents.layers):
            yield "two layers have one name"
        for path in dict.fromkeys((*self.layers, *found)):
            if found.get(path) != self.layers.get(path):
                yield f"{path} is {found.get(path)}, not {self.layers.get(path)}"
        if made.contents.parameters != self.elements:
            yield f"its parameters are {made.contents.parameters}, not {self.elements}"
        if made.contents.parts[PARAMETERS] != self.predicted_bytes:
            stored = thousands(made.contents.parts[PARAMETERS])
            yield f"{stored} bytes of parameters, not {thousands(self.predicted_bytes)}"
        if sum(made.contents.parts.values()) != len(made.data):
            yield "its parts are not the whole file"
        no_parameters = {"int8", "int32"} & made.contents.constants.keys()
        if self.storage.dtype == "int8" and no_parameters and not made.form.whole_constants:
            yield "an int8 or int32 tensor is no parameter"
        if made.arena and isinstance(made.arena.measured, int):
            size, measured = thousands(made.arena.size), thousands(made.arena.measured)
            if measured != size:
                yield f"TFLite Micro plans an arena of {measured} bytes for it, not {size}"

    def verified(self, made: Written) -> bool:
        """Return whether a file is what the closed form says, and its outputs are torch's."""
        return self.near(made) and not any(self.problems(made))

    def raise_if_wrong(self) -> None:
        """Raise where a file differs from the closed form: such a file is not to be written."""
        wrong = [f"{made.file}: {text}" for made in self.written for text in self.problems(made)]
        if wrong:
            raise CheckFailedError("; ".join(wrong), way_out="nothing was written")

    def raise_if_far(self) -> None:
        """Raise where what a file puts out is no number, or in float32 far from what torch does."""
        for made in self.written:
            if not isfinite(made.difference):
                raise CheckFailedError(
                    "puts out values that are not finite, or torch does",
                    place=made.file,
                    way_out="--dtype fp32, or other weights",
                )
            if not self.near(made):
                raise CheckFailedError(
                    f"differs by {scientific(made.difference)} of the largest output from torch, "
                    f"more than {scientific(made.form.tolerance)}",
                    place=made.file,
                    way_out="weights that cancel out lose digits in any order of summing",
                )

    def near(self, made: Written) -> bool:
        """Return whether the outputs of a file are torch's: all but rounding, in float32."""
        return made.difference <= made.form.tolerance or (
            self.storage.dtype != "fp32" and isfinite(made.difference)
        )


def _expected(row: LayerCost, times: int) -> FileLayer:
    return FileLayer(row.path, row.terms.weights, row.terms.bias_params, row.mult_adds * times)


def deployment(subject: Subject, storage: Storage, files: Sequence[str]) -> Deployment:
    """Return the files that a subject makes, each read back and run.

    Raises ``MbcostError`` for what cannot be deployed, ``CheckFailedError`` where a file is not
    what the closed form says.
    """
    folded = replace(deployed(subject), target=subject.target)
    forms = [FILE_FORMATS[Path(file).suffix.lower()] for file in files]
    check_deployable(folded, storage, forms)
    network = network_of(subject, storage)
    made = [_written(network, storage, *each) for each in zip(files, forms, strict=True)]
    found = Deployment(folded, storage, tuple(made))
    found.raise_if_wrong()
    return found


def check_deployable(subject: Subject, storage: Storage, forms: Sequence[FileFormat]) -> None:
    """Raise for what cannot be deployed, before any work."""
    if isinstance(subject.spec, Model):
        raise MbcostError(
            "is a model from elsewhere: its layers are not known here",
            place=subject.target,
            way_out="a built-in or a YAML; torch.onnx.export writes any module",
        )
    if storage.dtype not in DTYPES:
        raise MbcostError(f"unknown dtype {storage.dtype!r}", way_out=" or ".join(DTYPES))
    size = subject.report.weight_bytes(storage.dtype)
    for form in forms:
        form.require()
        if storage.layout and storage.layout not in form.layouts:
            raise MbcostError(
                f"a file of {form.name} has no layout {storage.layout!r}",
                place="--layout",
                way_out=f"{' or '.join(form.layouts)}, its operators' own",
            )
        if size > form.largest:
            raise MbcostError(
                f"has {bytes_in_words(size)} of parameters; a file of {form.name} holds "
                f"{bytes_in_words(form.largest)}",
                place=subject.target,
                way_out="a smaller --alpha, or --dtype int8",
            )
    maps = subject.batch * Workbench(subject.graph, subject.batch).map_bytes
    if maps > LARGEST_MAPS_BYTES:
        raise MbcostError(
            f"is too large to be run here: a layer's maps take {bytes_in_words(maps)}, above "
            f"{bytes_in_words(LARGEST_MAPS_BYTES)}",
            place=subject.target,
            way_out="a smaller --size or --batch",
        )


def network_of(subject: Subject, storage: Storage) -> Deployed:
    """Return the network that is written into a file, batch-norms folded, with its weights."""
    from mbcost.modules.exported.deployed import Deployed, calibrated, deploy

    graph, module = deploy(
        trained(subject).graph, storage.seed, storage.weights, storage.input_range
    )
    settings = ",".join(f"{k}={as_text(v)}" for k, v in as_record(subject.settings).items())
    low, high = map(number, storage.input_range)
    network = Deployed(
        graph,
        module,
        subject.batch,
        storage.dtype,
        input_range=storage.input_range,
        metadata={
            "mbcost.target": subject.target.partition("@")[0],
            "mbcost.settings": settings,
            "mbcost.dtype": storage.dtype,
            "mbcost.input_range": f"{low}:{high}",
            "mbcost.weights": storage.weights_from,
        },
    )
    if storage.dtype == "int8":
        return replace(network, ranges=calibrated(network, storage.seed))
    return network


def _written(network: Deployed, storage: Storage, file: str, form: FileFormat) -> Written:
    from mbcost.modules.exported.deployed import CALIBRATION_IMAGES, largest_difference

    layout = storage.layout or form.layouts[0]
    network = replace(
        network, layout=layout, metadata={**network.metadata, "mbcost.layout": layout}
    )
    data = form.write(network)
    images = network.images(storage.seed + CALIBRATION_IMAGES)  # none that it is calibrated with
    expected = network.outputs(images)
    found = form.run(data, network.laid_out(images))
    contents = form.read(data)
    difference = largest_difference(expected, found)
    return Written(file, form, layout, data, contents, difference, *_memory(network, form, data))


def _memory(network: Deployed, form: FileFormat, data: bytes) -> tuple[int, Planned | None]:
    """Return the largest set of maps of a file alive at once, and the arena that holds them."""
    from mbcost.modules.exported.micro import measured

    schedule = schedule_of(
        network.graph,
        batch=network.batch,
        itemsize=form.map_bytes[network.dtype],
        stored=network.dtype if form.planned else None,
    )
    most = peak(schedule).size
    if not form.planned:
        return most, None
    size = arena(schedule).size
    return most, Planned(size, measured(data, network.dtype, size))
