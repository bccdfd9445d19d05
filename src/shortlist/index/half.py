"""Compiler intrinsics of the index kernels: half precision and prefetching.

NumPy has float16, numba on a CPU has not: matrices of halves reach the kernels as `uint16` bits.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

CACHE_LINE = 64
"""Bytes that one `prefetch` brings."""

_BYTE = ir.IntType(8)
_INT = ir.IntType(32)
_FLOAT = ir.FloatType()


def _converts_in_hardware() -> bool:
    """Whether the compiler's target has an instruction from half to float."""
    if os.environ.get("NUMBA_CPU_NAME") or os.environ.get("NUMBA_CPU_FEATURES"):
        # A chosen target, not this machine.
        return False
    if platform.machine() in ("aarch64", "arm64"):
        return True
    return bool(binding.get_host_cpu_features().get("f16c", False))


def _half_bits_to_float(builder: Any, half: Any) -> Any:
    """The float of half bits without the instruction.

    Exponent and mantissa moved into a float's place are the number times 2^-112, subnormals
    included; finite numbers only.
    """
    bits = builder.zext(half, _INT)
    magnitude = builder.shl(builder.and_(bits, _INT(0x7FFF)), _INT(13))
    scaled = builder.fmul(builder.bitcast(magnitude, _FLOAT), ir.Constant(_FLOAT, 2.0**112))
    sign = builder.shl(builder.and_(bits, _INT(0x8000)), _INT(16))
    return builder.bitcast(builder.or_(builder.bitcast(scaled, _INT), sign), _FLOAT)


def _widen_in_hardware(builder: Any, half: Any) -> Any:
    return builder.fpext(builder.bitcast(half, ir.HalfType()), _FLOAT)


def _widening(convert: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def widen(typing_context: Any, number: Any) -> Any:
        def same(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return arguments[0]

        def converted(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return convert(builder, arguments[0])

        if number == types.float32:
            return types.float32(types.float32), same
        return types.float32(types.uint16), converted

    return widen


widen_bits = cast(Callable[[Any], Any], intrinsic(_widening(_half_bits_to_float)))
"""The float32 of a finite half given as its `uint16` bits; a float32 stays what it is."""

widen = (
    cast(Callable[[Any], Any], intrinsic(_widening(_widen_in_hardware)))
    if _converts_in_hardware()
    else widen_bits
)
"""`widen_bits` by the processor's own instruction where it has one (1.5 times as fast)."""


def _prefetch(typing_context: Any, array: Any, offset: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.gep(builder.bitcast(data, _BYTE.as_pointer()), [arguments[1]])
        kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
        name = "llvm.prefetch.p0i8"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        read, keep, data_cache = _INT(0), _INT(3), _INT(1)
        builder.call(function, [address, read, keep, data_cache])
        return context.get_dummy_value()

    return types.void(array, types.int64), emit


prefetch = cast(Callable[[NDArray[np.generic], int], None], intrinsic(_prefetch))
"""Start bringing the cache line at a byte offset of a contiguous array; never faults."""
