"""Networks as calls, one function a runtime. Importing this imports torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mbcost.errors import MbcostError
from mbcost.graph.graph import Graph
from mbcost.modules.exported import FILE_FORMATS
from mbcost.modules.exported.deployed import deploy
from mbcost.modules.exported.weights import with_random_weights, with_weights_of
from mbcost.modules.latency import Call, Runnable

IMAGES_SEED = 0
"""Of the images that files are run with; what they show is nothing to the time."""


def module_of(graph: Graph, seed: int, weights: str | None, *, folded: bool) -> nn.Module:
    """Return the module of a graph with the weights of a file, or with the random ones that its
    files have, its batch-norms folded if asked for. With random weights no map fades: numbers too
    small for float32 take many times as long."""
    if folded:
        return deploy(graph, seed, weights)[1]
    return with_random_weights(graph, seed) if weights is None else with_weights_of(graph, weights)


def random_images(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return images, batch first, of values from -1 to 1."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@contextmanager
def torch_as_it_was() -> Iterator[None]:
    """Restore how many threads torch has."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def eager(network: Runnable, dtype: str, threads: int) -> Call:
    """Return a call of the module as it is; ``threads`` are set for torch as a whole."""
    torch.set_num_threads(threads)
    return called(network, network.module())


def compile(network: Runnable, dtype: str, threads: int) -> Call:
    """Return a call of the module compiled by ``torch.compile``, which has run once."""
    torch.set_num_threads(threads)
    made = called(network, torch.compile(network.module()))
    try:
        made()
    except MbcostError:
        raise
    except Exception as error:  # whatever its backend could not do
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise MbcostError(
            f"torch.compile failed: {first[0]}",
            place=network.name,
            way_out="it needs a C++ compiler; --runtime eager",
        ) from error
    return made


def called(network: Runnable, module: Any) -> Call:
    """Return a call of the module with the network's inputs."""

    def call() -> object:
        with torch.inference_mode():
            return module(*network.inputs, **network.named)

    return call


def onnx(network: Runnable, dtype: str, threads: int) -> Call:
    """Return a call of ONNX Runtime on the network's file."""
    session, given = onnx_session(network, dtype, threads)
    return lambda: session.run(None, given)


def onnx_session(
    network: Runnable, dtype: str, threads: int, profile: str | None = None
) -> tuple[Any, dict[str, Any]]:
    """Return a session of ONNX Runtime on the CPU, and what it is given; ``profile`` begins the
    name of the file that it writes of its nodes' times."""
    import onnxruntime

    assert network.deployed is not None
    deployed = network.deployed(dtype)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    data = FILE_FORMATS[".onnx"].write(deployed)
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session, {"input": deployed.images(IMAGES_SEED).numpy()}


def litert(network: Runnable, dtype: str, threads: int) -> Call:
    """Return a call of LiteRT on the network's file, with XNNPACK as it is by default."""
    from ai_edge_litert.interpreter import Interpreter

    from mbcost.modules.exported.tflite_file import stored

    assert network.deployed is not None
    deployed = replace(network.deployed(dtype), layout="nhwc")
    data = FILE_FORMATS[".tflite"].write(deployed)
    with _quiet():  # it tells of XNNPACK, each time anew
        interpreter = Interpreter(model_content=data, num_threads=threads)
        interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    images = deployed.laid_out(deployed.images(IMAGES_SEED))
    interpreter.set_tensor(given["index"], stored(images, given))
    run: Call = interpreter.invoke
    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what a library writes to stderr past Python."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
