"""TFLite Micro's arena: a sample of what ``python -m tests.proofs.arena`` shows of them all."""

from __future__ import annotations

import sys
from itertools import islice

import pytest

from mbcost.errors import MbcostError
from mbcost.graph.arena import arena
from mbcost.graph.deployed import deployed
from mbcost.modules.exported.micro import SPARE, NoOperatorError, allocated, planned
from mbcost.modules.exported.tflite_writer import tflite_bytes
from mbcost.networks.yaml import builtin
from tests.proofs.arena import Case, attempt, drawn, run

CASES = [
    Case("v1", builtin("v1").graph(), "int8", "tflite"),
    Case("v2", builtin("v2").graph(), "fp32", "tflite", batch=2),
    Case("v3-small", builtin("v3-small").graph(), "int8", "none"),
    Case("mobilenet-edgetpu", builtin("mobilenet-edgetpu").graph(), "int8", "tflite"),
    Case("ghostnet", builtin("ghostnet").graph(), "int8", "tflite", best=True),
    Case("ssdlite-v2", builtin("ssdlite-v2").graph(), "fp32", "tflite"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_planned_head_is_tflite_micros(case: Case) -> None:
    found = run(case)
    assert found.planned == found.head
    assert found.persistent > 0


def test_the_planned_head_of_random_networks_is_tflite_micros() -> None:
    found = [(case, attempt(case)) for case in islice(drawn(1), 12)]
    ran = [(case, outcome) for case, outcome in found if outcome]
    assert [(str(case), o) for case, o in ran if o.planned != o.head] == []
    assert len(ran) > 8


def test_v1_needs_more_than_its_largest_live_set_there_too() -> None:
    graph = builtin("v1").graph({"alpha": 0.25, "size": (192, 192)})
    found = run(Case("v1", graph, "int8", "tflite"))
    assert (found.head, found.lower_bound) == (294_912, 221_184)


def test_what_is_kept_besides_is_measured_without_weights() -> None:
    graph = builtin("v3-small").graph()
    offered = arena(deployed(graph, itemsize=1)).size + SPARE
    whole = allocated(tflite_bytes(graph, "int8"), offered)
    assert planned(graph, "int8", "tflite") == whole


def test_what_tflite_micro_cannot_run_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = builtin("v1").graph()
    assert isinstance(planned(graph, "fp16", "tflite"), str)
    assert isinstance(planned(graph, "int8", "all"), str)
    assert isinstance(planned(builtin("alexnet").graph(), "fp32", "tflite"), str)
    assert isinstance(planned(graph, "fp32", "none", batch=400), str), "more than 2 GiB"
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    assert isinstance(planned(graph, "int8", "tflite"), str)
    with pytest.raises(MbcostError, match=r"pip install 'mbcost\[tflite\]'"):
        allocated(b"", 1)


def test_what_the_interpreter_says_is_the_problem() -> None:
    model = tflite_bytes(builtin("v1").graph(), "int8")
    with pytest.raises(MbcostError, match=r"^v1: TFLite Micro: Failed to"):
        allocated(model, 100_000, "v1")
    lrn = tflite_bytes(builtin("alexnet").graph(), "fp32")
    with pytest.raises(NoOperatorError, match="LOCAL_RESPONSE_NORMALIZATION"):
        allocated(lrn, SPARE)
