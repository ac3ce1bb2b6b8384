"""Formulas as papers print them, with letters for numbers: ``Dk*Dk*M*Df*Df``, ``h/s``, ``tk``."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from fractions import Fraction

from mbcost.errors import MbcostError


def formula_value(formula: str, letters: Mapping[str, float | str]) -> Fraction:
    """Return the value of ``formula``; letters that stand side by side are multiplied.

    ``^`` is a power, ``'`` is part of a letter, as in ``k'``.
    """
    names = sorted(letters, key=len, reverse=True)
    token = re.compile("|".join([*map(re.escape, names), r"\d+", r"[-+*/^()]", r"\s+"]))
    parts: list[str] = []
    end = 0
    operand = False
    for match in token.finditer(formula):
        if match.start() != end:
            break
        end = match.end()
        text = match[0].strip()
        if not text:
            continue
        opens = text in letters or text.isdigit() or text == "("
        if operand and opens:
            parts.append("*")
        parts.append(f"({Fraction(str(letters[text]))})" if text in letters else text)
        operand = (opens and text != "(") or text == ")"
    if end != len(formula):
        raise MbcostError(
            f"{formula[end:]!r} is not a letter of this formula",
            place=formula,
            way_out=f"letters: {', '.join(letters)}",
        )
    return _value(ast.parse("".join(parts).replace("^", "**"), mode="eval").body)


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int(value)):
            return Fraction(value)
        case ast.BinOp(left, ast.Add(), right):
            return _value(left) + _value(right)
        case ast.BinOp(left, ast.Sub(), right):
            return _value(left) - _value(right)
        case ast.BinOp(left, ast.Mult(), right):
            return _value(left) * _value(right)
        case ast.BinOp(left, ast.Div(), right):
            return _value(left) / _value(right)
        case ast.BinOp(left, ast.Pow(), right):
            return _value(left) ** int(_value(right))
        case _:
            raise MbcostError(
                f"{ast.unparse(node)!r} is not part of a formula", way_out="numbers and + - * / **"
            )
