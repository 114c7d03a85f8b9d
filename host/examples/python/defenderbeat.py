"""The mapping components of defenderbeat, in a sandbox of wasmtime.

    component = Component("dist/alert.wasm")
    pipeline = component.open('{"tags":["soc"]}', write=lambda part: output.write(part.ndjson))
    receipt = pipeline.push("alerts", [payload], received_at=1735689600000)
    pipeline.learn(receipt.facts)

`wit/pipeline.wit` of defenderbeat is the contract, and says what each field means.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component as Compiled
from wasmtime.component import Instance, Linker, Record, ResourceAny

import checks
import octets
from shapes import Descriptor, Document, Part, Receipt, SettingsError, Trap

octets.install()

CONTRACT = "defenderbeat:pipeline/{}@0.1.0"
INTERFACES = ("diagnostics", "lookup", "sink")

# How often deadlines are looked at, in seconds.
TICK = 0.01

Write = Callable[[Part], Any]
Find = Callable[[str, str], "str | None"]
Report = Callable[[str, str], None]


@dataclass(frozen=True)
class Limits:
    """What a component may use; beyond it the call ends with a `Trap`."""

    # Seconds of a call, those in `write`, `find` and `report` included.
    deadline: float = 10.0
    # Bytes of linear memory. The default holds the largest record (64 MiB) several times over.
    memory: int = 512 << 20


class Component:
    """A component, compiled once: all its pipelines share the code."""

    def __init__(self, file: str | PathLike[str]) -> None:
        engine = _engine()
        self._compiled = Compiled(engine, Path(file).read_bytes())
        for name in self._compiled.type.imports(engine):
            if name.split("@")[0] not in {
                CONTRACT.split("@")[0].format(interface) for interface in INTERFACES
            }:
                raise ValueError(f"{file} imports {name}, which no pipeline needs")
        described = _Sandbox(self._compiled, Limits(), {}).call("describe")
        self.descriptor = Descriptor.of(described)

    def open(
        self,
        settings: str,
        write: Write,
        find: Find = lambda kind, key: None,
        report: Report = lambda level, message: print(f"{level}: {message}", file=sys.stderr),
        limits: Limits = Limits(),
    ) -> Pipeline:
        """Opens a pipeline in an instance of its own.

        `settings` is a JSON object as text; `write` takes each part, which is checked; `find`
        answers from the host's own data; `report` takes messages for the operator. Raises
        `SettingsError`.
        """
        return Pipeline(self, settings, write, find, report, limits)


class Pipeline:
    """An open pipeline; it belongs to one thread at a time.

    Where a call raises, whatever the cause, the instance is spent and every later call raises
    `Trap`. Documents that `write` took before stand. A new pipeline that learns the same facts
    gives the same documents for the same payloads.
    """

    def __init__(
        self,
        component: Component,
        settings: str,
        write: Write,
        find: Find,
        report: Report,
        limits: Limits,
    ) -> None:
        self.descriptor = component.descriptor
        self._write = write
        # Documents written of each payload of the call that runs.
        self._written: list[int] = []
        self._sandbox: _Sandbox | None = _Sandbox(
            component._compiled, limits, {"write": self._take, "find": find, "report": report}
        )
        opened = self._sandbox.call("[static]pipeline.open", settings)
        if isinstance(opened, Record):
            raise SettingsError(opened.path, opened.message)
        self._pipeline: ResourceAny = opened

    def push(
        self, feed: str, payloads: Sequence[bytes], received_at: int | None = None
    ) -> Receipt:
        """Maps payloads, each of them complete; their documents go to `write` before this returns.

        `received_at` is in milliseconds since 1970, now by default. Payloads of about 1 MiB are
        best: each byte takes some 100 bytes of memory while it is handed over.
        """
        if not any(known.name == feed for known in self.descriptor.feeds):
            raise ValueError(f"{self.descriptor.name} has no feed {feed}")
        batch = Record()
        batch.feed = feed
        batch.payloads = [bytes(payload) for payload in payloads]
        setattr(
            batch, "received-at", int(time.time() * 1000) if received_at is None else received_at
        )
        self._written = [0] * len(payloads)
        return self._call(
            "push", batch, check=lambda receipt: checks.receipt(receipt, payloads, self._written)
        )

    def finish(self) -> Receipt:
        """Ends a sync or the stream: what was held leaves as documents."""
        self._written = [0]
        return self._call("finish", check=lambda receipt: checks.finished(receipt, self._written))

    def learn(self, facts: bytes) -> None:
        """Takes facts, in the order in which receipts gave them."""
        if facts:
            self._call("learn", facts)

    def facts(self) -> bytes:
        """All that was learned, compact: it replaces the log of facts so far."""
        return self._call("facts")

    def _call(
        self, name: str, *arguments: Any, check: Callable[[Receipt], None] | None = None
    ) -> Any:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is None:
            raise Trap("the instance is spent: open a new pipeline")
        result = sandbox.call(f"[method]pipeline.{name}", self._pipeline, *arguments)
        if check:
            result = Receipt.of(result)
            check(result)
        self._sandbox = sandbox
        return result

    def _take(self, ndjson: bytes, documents: list[Record]) -> None:
        part = Part(ndjson, [Document.of(document) for document in documents])
        checks.part(part, len(self._written), len(self.descriptor.routes))
        for document in part.documents:
            self._written[document.payload] += 1
        self._write(part)


class _Sandbox:
    """One instance of a component, with limits."""

    def __init__(
        self, compiled: Compiled, limits: Limits, imports: dict[str, Callable[..., Any]]
    ) -> None:
        self._limits = limits
        self._store = Store(_engine())
        self._store.set_limits(memory_size=limits.memory)
        # What the guest said last, if it was an error: a panic says why, then traps.
        self._last_words: str | None = None
        linker = Linker(_engine())
        # The store is wasmtime's first argument to every import; none is needed.
        functions = {
            ("sink", "write"): lambda _, ndjson, documents: imports["write"](ndjson, documents),
            ("lookup", "find"): lambda _, kind, key: imports["find"](kind, key),
            ("diagnostics", "report"): lambda _, level, message: self._report(
                imports["report"], level, message
            ),
        }
        with linker.root() as root:
            for (interface, name), function in functions.items():
                with root.add_instance(CONTRACT.format(interface)) as instance:
                    instance.add_func(name, function)
        self._instance: Instance = self._within_limits(
            lambda: linker.instantiate(self._store, compiled)
        )
        self._exports = self._instance.get_export_index(
            self._store, CONTRACT.format("transformer")
        )

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of the contract's transformer."""
        index = self._instance.get_export_index(self._store, name, self._exports)
        function = index and self._instance.get_func(self._store, index)
        if function is None:
            raise ValueError(
                f"the component has no function {name}: it was built against another contract"
            )
        return self._within_limits(lambda: function(self._store, *arguments))

    def _within_limits(self, run: Callable[[], Any]) -> Any:
        self._store.set_epoch_deadline(int(self._limits.deadline / TICK) + 1)
        self._last_words = None
        try:
            return run()
        except WasmtimeError as error:
            cause = str(error).strip().rsplit("\n", 1)[-1].strip()
            if "interrupt" in cause:
                cause = f"took longer than {self._limits.deadline} s"
            raise Trap(self._last_words or cause) from error

    def _report(self, report: Report, level: str, message: str) -> None:
        self._last_words = message if level == "error" else None
        report(level, message)


@functools.cache
def _engine() -> Engine:
    """The engine of this process, and a thread that moves its clock on."""
    config = Config()
    config.wasm_component_model = True
    config.epoch_interruption = True
    # The same bytes on every machine: WebAssembly leaves only these two to the processor.
    config.wasm_relaxed_simd_deterministic = True
    config.cranelift_nan_canonicalization = True
    engine = Engine(config)

    def tick() -> None:
        while True:
            time.sleep(TICK)
            engine.increment_epoch()

    threading.Thread(target=tick, name="epoch", daemon=True).start()
    return engine
