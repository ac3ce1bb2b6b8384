"""Models from elsewhere as targets: torchvision, timm, a Python file, good ones and broken ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli

NETS = """
import torch
from torch import nn

print("the file prints")


class Raises(nn.Module):
    def forward(self, x):
        raise ValueError("not today")


class Vector(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        print("forward prints")
        return self.fc(x)


class Gate(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Result:
    def __init__(self, y):
        self.y = y


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)

    def forward(self, x):
        if type(x.shape[0]) is not int:
            raise TypeError("traced")
        return self.conv(x)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.conv = nn.Embedding(10, 8), nn.Conv2d(3, 4, 1)

    def forward(self, x, tokens):
        return {"image": self.conv(x), "words": [self.words(tokens)]}


def build(depth=2, wide=False):
    print("the factory prints")
    c = 6 if wide else 3
    return nn.Sequential(nn.Conv2d(3, c, 1), *(nn.Conv2d(c, c, 1) for _ in range(depth - 1)))


def fourier():
    class Fourier(nn.Module):
        def forward(self, x):
            return torch.fft.rfft(x).real
    return Fourier()


def sized(image_size=224):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, 2))


def exits():
    raise SystemExit(3)


def missing():
    import a_package_nobody_has


def number():
    return 3


def pretrained():
    import torchvision
    return torchvision.models.resnet18(weights="DEFAULT")
"""


@pytest.fixture
def nets(tmp_path: Path) -> str:
    path = tmp_path / "nets.py"
    path.write_text(NETS, "utf-8")
    return str(path)


def test_models_from_everywhere_stand_in_one_verified_table(
    cli_json: Callable[..., Any], nets: str
) -> None:
    records = cli_json(
        "compare",
        "v3-large",
        "torchvision:mobilenet_v3_large",
        "timm:mobilenetv3_large_100",
        f"{nets}:build@depth=3",
    )
    assert [r["params"] for r in records] == [5_483_032, 5_483_032, 5_483_032, 36]
    assert [r["mult_adds"] for r in records] == [216_589_760] * 3 + [27 * 224 * 224]
    assert [r["verified"] for r in records] == [True] * 4


def test_builder_arguments_stand_behind_the_at_sign(
    cli_json: Callable[..., Any], nets: str
) -> None:
    records = cli_json("compare", f"{nets}:build@depth=1", f"{nets}:build@wide=true", "--fast")
    assert [r["params"] for r in records] == [12, 24 + 42]


def test_size_becomes_image_size_where_the_builder_has_it(
    cli_json: Callable[..., Any], nets: str
) -> None:
    records = cli_json("compare", f"{nets}:sized", "torchvision:vit_b_32", "--size", "64", "--fast")
    assert records[0]["params"] == 3 * 64 * 64 * 2 + 2
    assert records[1]["input"] == [3, 64, 64]


def test_several_inputs_of_any_type_and_models_that_return_dicts(
    cli_json: Callable[..., Any], nets: str
) -> None:
    record = cli_json(
        "model", f"{nets}:Two", "--input", "1x3x8x8", "--input", "1x7:int64", "--fast"
    )
    assert record["input"] == [[3, 8, 8], [7]]
    assert (record["params"], record["mult_adds"]) == (16 + 80, 768)
    assert record["coverage"]["counted"] == {"convolution": 1}


def test_the_batch_multiplies_and_an_explicit_input_is_taken_whole(
    cli_json: Callable[..., Any], nets: str
) -> None:
    target = f"{nets}:build@depth=1"
    batch = cli_json("compare", target, "--size", "8", "--batch", "4", "--counter", "torch")[0]
    whole = cli_json("compare", target, "--input", "4x3x8x8", "--counter", "torch")[0]
    assert batch["mult_adds"] == whole["mult_adds"] == 4 * 9 * 64
    assert batch["torch_flops"] == whole["torch_flops"] == 2 * 4 * 9 * 64


def test_what_a_file_prints_goes_to_stderr(cli: Cli, nets: str) -> None:
    result = cli("compare", f"{nets}:Vector", "--input", "1x16", "--fast", "--format", "json")
    assert json.loads(result.stdout)[0]["mult_adds"] == 64
    assert "the file prints" in result.stderr
    assert "forward prints" in result.stderr


BROKEN = {
    "Raises": ("ValueError: not today", "--input"),
    "Vector": ("fc: its forward fails on an input of 1x3x224x224", "--input"),
    "exits": ("its code exits (code 3)", "__main__"),
    "missing": ("imports 'a_package_nobody_has'", "pip install a_package_nobody_has"),
    "number": ("returned int, not a torch.nn.Module", "return the model"),
    "bild": ("has no function or class 'bild'", "did you mean 'build'"),
    "build@depht=3": ("unexpected keyword argument 'depht'", "behind @"),
    "build@depth": ("is not a setting", "like"),
    "pretrained": ("would download weights", "@pretrained=false"),
}


@pytest.mark.parametrize("factory", BROKEN)
def test_a_broken_model_is_one_message_with_a_way_out(cli: Cli, nets: str, factory: str) -> None:
    result = cli("compare", f"{nets}:{factory}", "--format", "json")
    problem, way_out = BROKEN[factory]
    message = result.stderr.splitlines()[-1]
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert message.startswith("mbcost: ")
    assert "nets.py" in message
    assert problem in message
    assert way_out in message


@pytest.mark.parametrize(
    ("target", "way_out"),
    [
        ("torchvision:mobilnet_v2", "did you mean 'mobilenet_v2'?"),
        ("timm:mobilenetv3_larg_100", "did you mean 'mobilenetv3_large_100'?"),
        ("torchvision:resnet18@weights=DEFAULT", "leave it out"),
        ("nowhere.py:build", "a path to a Python file"),
        ("nowhere.py", "like nowhere.py:build"),
        ("torchvision:resnet18@input=3xtall", "1x3x224x224"),
        ("torchvision:resnet18@input=1x3x64x64,size=32", "give one"),
    ],
)
def test_a_target_that_cannot_be_is_exit_two(cli: Cli, target: str, way_out: str) -> None:
    result = cli("compare", target, "--fast")
    assert (result.exit_code, result.stdout) == (2, "")
    assert way_out in result.stderr


def test_an_unknown_operator_is_a_warning_and_fails_only_when_strict(cli: Cli, nets: str) -> None:
    target = ("compare", f"{nets}:fourier", "--fast")
    assert cli(*target).exit_code == 0
    assert "_fft_r2c" in cli(*target).stderr
    assert cli(*target, "--strict").exit_code == 1


def test_a_counter_that_differs_is_named_and_fails_only_when_strict(cli: Cli) -> None:
    target = ("compare", "timm:test_vit", "--counter", "ptflops-pytorch")
    lenient, strict = cli(*target, "--format", "json"), cli(*target, "--strict")
    record = json.loads(lenient.stdout)[0]
    assert (lenient.exit_code, record["verified"]) == (0, False)
    assert "ptflops-pytorch and the trace differ: total: counted" in lenient.stderr
    assert strict.exit_code == 1


def test_a_counter_that_crashes_is_null_with_a_warning(cli: Cli, nets: str) -> None:
    result = cli("compare", f"{nets}:Odd", "--format", "json")
    record = json.loads(result.stdout)[0]
    assert result.exit_code == 0, result.stderr
    assert (record["fvcore_flops"], record["verified"]) == (None, True)
    assert record["torchinfo_mult_adds"] == record["mult_adds"] == 12 * 224 * 224
    assert "fvcore skipped: it crashes: " in result.stderr


def test_explain_knows_the_formulas_of_a_traced_model(cli_json: Callable[..., Any]) -> None:
    document = cli_json("explain", "torchvision:mobilenet_v2")
    layers = {layer["path"]: layer for layer in document["layers"]}
    assert layers["features.0.0"]["mult_adds_formula"] == "3²·3·32·112·112"
    assert layers["classifier.1"]["params_formula"] == "1280·1000 + 1000"


@pytest.mark.parametrize("kind", ["layer", "block", "kind"])
@pytest.mark.parametrize("format_name", ["table", "markdown", "csv", "latex", "json"])
def test_model_has_every_view_and_format_of_a_traced_model(
    cli: Cli, nets: str, kind: str, format_name: str
) -> None:
    result = cli("model", f"{nets}:build", "--by", kind, "--fast", "--format", format_name)
    assert result.exit_code == 0, result.stderr
    assert "0" in result.stdout
