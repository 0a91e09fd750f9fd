# SPDX-License-Identifier: Apache-2.0
"""`transform.py`: arithmetic over columns, as reference files write it: `(volume-1000)/100`,
`1e4*ln(usdt_close/usdc_close)`. Only numbers, column names, + - * / ** and a few functions; no
names of Python are in reach.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hean.errors import ParameterInvalid

FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "ln": np.log,
    "log": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "diff": np.diff,
}
OPERATORS = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
TEXT_LENGTH_MAX = 200


def evaluate(text: str, columns: Mapping[str, Any]) -> Any:
    """The series that *text* describes. A bare function name, such as `log10`, means that function
    of the only column. *Raises*: `ParameterInvalid`.
    """
    if text in FUNCTIONS and len(columns) == 1:
        return FUNCTIONS[text](next(iter(columns.values())))
    if len(text) > TEXT_LENGTH_MAX:
        raise ParameterInvalid(f"transform: longer than {TEXT_LENGTH_MAX} characters.")
    try:
        return _value(ast.parse(text, mode="eval").body, columns)
    except SyntaxError as error:
        raise ParameterInvalid(f"transform {text!r}: {error.msg}.") from error


def _value(node: ast.expr, columns: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in columns:
            return columns[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, columns)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            return OPERATORS[type(operator)](_value(left, columns), _value(right, columns))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](_value(argument, columns))
    known = ", ".join((*columns, *FUNCTIONS))
    raise ParameterInvalid(f"transform: {ast.unparse(node)!r} is none of {known}, + - * / **.")
