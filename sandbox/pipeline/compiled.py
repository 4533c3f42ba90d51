"""Compile inner loops with Numba, in one agreed way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["compiled", "inlined", "prefetch"]

_Function = TypeVar("_Function", bound=Callable[..., object])

# No fast-math: results are equal to the last bit. Kernels get all memory from their caller, so
# they need no reference counts (`_nrt`), which cost more than the work.
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(function: _Function) -> _Function:
    """Compile a function at its first call and keep the machine code on disk.

    Numba notices changes in the function's own file only, so a kernel and its helpers live
    together.
    """
    return cast(_Function, numba.njit(**_OPTIONS)(function))


def inlined(function: _Function) -> _Function:
    """Compile a small helper into every place that calls it."""
    return cast(_Function, numba.njit(**_OPTIONS, forceinline=True)(function))


@intrinsic
def _prefetch(context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``, which will be read a little later."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = target.make_array(signature.args[0])(target, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        touch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        # For reading, to be kept, in the data cache.
        builder.call(touch, [place, word(0), word(3), word(1)])
        return target.get_dummy_value()

    return types.none(array, index), generate


prefetch = cast("Callable[[NDArray[Any], int], None]", _prefetch)
"""Ask for the cache line of ``array[index]``, from compiled code."""
