"""The pages and tables of docs/ that are generated: the keys of files, conventions and floors.

A new key needs its line in ``mbcost.studies.meanings.MEANINGS``.
``python -m tests.regenerate`` writes them.
"""

from __future__ import annotations

import ast

import mbcost
from mbcost.cost import CONVENTIONS
from mbcost.studies.keys import groups
from tests.test_architecture import DOORS, FLOORS, PACKAGE

_HEAD = "| key | unit | meaning |\n|---|---|---|\n"
CONVENTIONS_MARK = "conventions: written by python -m tests.regenerate"
FLOORS_MARK = "floors: written by python -m tests.regenerate"
FURTHER = "## Further counters\n"


def columns_page() -> str:
    """Return ``docs/columns.md``."""
    return f"""# Columns and keys

What files hold, by command. CSV and JSON have the same keys, with raw integers in base units. A
value that is missing is empty (`null` in JSON), never 0. `--columns` and `--sort` take these keys;
`mbcost list columns` lists them. `macs` and `gmacs` are `mult_adds` there, and that is said.

<!-- written by python -m tests.regenerate -->

## Records: `compare`, `model`, `mbcost.count`

{_table("records")}
Each counter has a key of its own, empty where it was not run:

{_table("counted")}
With `--fold-bn`, and wherever `--columns` asks for them:

{_table("asked")}
With `--unit flop` and `--convention torch`, where `mult_adds` stay mult-adds, and wherever
`--columns` asks for them (`sweep` and `search` too):

{_table("flops")}
With trainings beside the targets:

{_table("trained")}
JSON adds `params_by_kind` and `mult_adds_by_kind`; `model` adds `layers`, and `by_block` or
`by_kind` as `--by` says. Of a traced model JSON has `uncounted` too: the operators whose cost is
missing from the totals, each with how often it ran.

## Layers: `model`

{_table("layers")}
`mult_adds` are those of the layer, for the batch. `--by block` and `--by kind` have `block` or
`kind`, `params` and `mult_adds`. Behind them stand `flops`, where they were asked for, and in CSV
`unit` and `convention`. With `--tree` and `--depth`, and under `by_branch` in JSON:

{_table("branches")}
## `memory`

Null where a figure was not asked for or is not known:

{_table("memory")}
With `--verify` there is `verified`, and in JSON `measured`. `--by layer`:

{_table("steps")}
`--by tensor`:

{_table("tensors")}
## Sweeps: `sweep`, `search`

First what was chosen, each choice under its own key (`alpha`, `size`, `rows.3.t`), then what it
costs, and `top1` where one is published:

{_table("sweep")}
Where a limit is on them, or `--columns` asks for them:

{_table("whole")}
With `--accuracy predicted`:

{_table("predicted")}
## `check`

{_table("check")}
## `diff`

{_table("diff")}
## `latency`

{_table("latency")}
JSON adds `settings`; `stopped`, why no further round was run; `warm_up`, rounds before the first
that counts; `cpu_samples` and `wall_samples`, seconds of each round. `--by layer`, and with another
first column `kind` and `block`:

{_table("shares")}
## `explain`

{_table("explain")}
## `paper`

{_table("paper")}
## `deploy`

{_table("deploy")}
JSON adds `settings`; `parameters` and `constants`, elements by type; `overhead`, bytes by part; and
`file_layers`: `path`, `weights`, `biases` and `mult_adds` as the file has them.

## `train`

`record.json` has these, and `compare --runs` `trained_top1`, `data`, `epochs` and `seed`:

{_table("train")}
It adds `name`, `settings`, `recipe`, `history`, a row an epoch, `classes`, `confusion`, by true
class how often each class was answered, `mean` and `std` of each channel, `graph_sha256`,
`threads`, `device` and `versions`. `predict` prints `class` and `probability`, in per cent.

## `roof`

With targets and a device:

{_table("bounds")}
JSON holds these as `bounds`, beside the `device`. `--by layer`, and without `path` `--by kind`:

{_table("parts")}
Of a device:

{_table("ceilings")}
## `list`

{_table("list")}
`list columns`:

{_table("list columns")}
`list counters`:

{_table("list counters")}
{FURTHER}
Where they were run (`--counter NAME`), their figures stand behind those of torch:

{_table("further")}"""


def _table(group: str) -> str:
    lines = groups()[group].lines()
    return _HEAD + "".join(f"| `{key}` | {unit} | {means} |\n" for key, unit, means in lines)


def conventions_table() -> str:
    """Return the conventions in words, each with its total of V2."""
    report = mbcost.count("v2")
    head = "\n| convention | what is counted | v2 |\n|---|---|--:|\n"
    return (
        head
        + "".join(
            f"| `{name}` | {convention.counts} | {report.total(convention):,} |\n"
            for name, convention in CONVENTIONS.items()
        )
        + "\n"
    )


def floors_table() -> str:
    """Return the rooms from the top floor down, each in its own words, and its doors."""
    head = "\n| floor | room | what it holds | door to |\n|--:|---|---|---|\n"
    return head + "".join(map(_room, sorted(FLOORS, key=FLOORS.__getitem__, reverse=True))) + "\n"


def _room(name: str) -> str:
    file = PACKAGE / f"{name}.py"
    file = file if file.exists() else PACKAGE / name / "__init__.py"
    face = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split("\n\n")[0]
    doors = ", ".join(package for package, rooms in DOORS.items() if name in rooms)
    shown = " ".join(face.replace("``", "`").split())
    return f"| {FLOORS[name]} | `{name}` | {shown} | {doors or '–'} |\n"
