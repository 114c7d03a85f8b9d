"""Hands bytes over at once.

wasmtime's Python package converts a `list<u8>` byte by byte, in Python, which takes many times as
long as mapping. `install` replaces that for lists of u8 and nothing else. It reaches into the
package, so requirements.txt pins the version that it was written for; without it all is slow.
"""

from __future__ import annotations

import ctypes
from typing import Any

from wasmtime import _ffi as ffi
from wasmtime.component import U8, ListType

# A value is a kind and a union, so a list of bytes is an array of these.
VALUE = ffi.wasmtime_component_val_t
SIZE = ctypes.sizeof(VALUE)
KIND = VALUE.kind.offset
BYTE = VALUE.of.offset

_to_c = ListType.convert_to_c
_from_c = ListType.convert_from_c


def install() -> None:
    """Makes the conversion of bytes a matter of strides."""
    ListType.convert_to_c = _lower
    ListType.convert_from_c = _lift


def _lower(self: ListType, store: Any, value: Any, out: Any) -> None:
    if not isinstance(self.element, U8) or not isinstance(value, bytes):
        return _to_c(self, store, value, out)
    values = bytearray(len(value) * SIZE)
    values[KIND::SIZE] = bytes([ffi.WASMTIME_COMPONENT_U8.value]) * len(value)
    values[BYTE::SIZE] = value
    array = ffi.wasmtime_component_vallist_t()
    ffi.wasmtime_component_vallist_new_uninit(array, len(value))
    ctypes.memmove(array.data, (ctypes.c_char * len(values)).from_buffer(values), len(values))
    out.contents.kind = ffi.WASMTIME_COMPONENT_LIST
    out.contents.of.list = array


def _lift(self: ListType, value: Any) -> Any:
    if not isinstance(self.element, U8):
        return _from_c(self, value)
    array = value.of.list
    try:
        return ctypes.string_at(array.data, array.size * SIZE)[BYTE::SIZE] if array.size else b""
    finally:
        ffi.wasmtime_component_vallist_delete(ctypes.byref(array))
