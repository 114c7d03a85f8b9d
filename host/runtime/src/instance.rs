//! One instance of a component: a store, and the pipeline opened in it.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::ResourceAny;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::exports::defenderbeat::pipeline::transformer::{Batch, GuestPipeline};
use crate::bindings::{Transform as Bindings, TransformPre};
use crate::component::Component;
use crate::engine::{Engine, Options};
use crate::error::{Error, Result};
use crate::host::{Failure, Host, Passage, Progress, SINK, cut};
use crate::imports::Sink;
use crate::limits::Limits;
use crate::pipeline::Setup;
use crate::types::{Descriptor, Receipt, Usage};
use crate::verify;

/// Fuel of a store that counts it: more than any run uses.
const FUEL: u64 = u64::MAX;

/// An instance with an open pipeline.
pub(crate) struct Instance {
    store: Store<Host>,
    bindings: Bindings,
    pipeline: ResourceAny,
    limits: Limits,
    /// Memory when the instance was ready for its first push.
    born: usize,
    calls: u32,
}

impl Instance {
    /// Asks a component what it is.
    pub(crate) fn describe(engine: &Engine, pre: &TransformPre<Host>) -> Result<Descriptor> {
        let mut store = store(engine, Host::new(Limits::default(), Arc::new(()), Arc::new(()), 0), &Limits::default())?;
        let (instance, _) = call(&mut store, Passage::default(), |store| pre.instance_pre().instantiate(store));
        let bindings = Bindings::new(&mut store, &instance?)
            .map_err(|error| Error::Contract(format!("an exported function differs: {error:#}")))?;
        let (described, _) = call(&mut store, Passage::default(), |store| {
            bindings.defenderbeat_pipeline_transformer().call_describe(store)
        });
        Ok(Descriptor::from(described?))
    }

    /// Opens a pipeline in a new instance.
    pub(crate) fn open(component: &Component, setup: &Setup) -> Result<Self> {
        let Setup { settings, limits, lookup, diagnostics } = setup;
        let routes = component.descriptor().routes.len();
        let host = Host::new(*limits, Arc::clone(lookup), Arc::clone(diagnostics), routes);
        let mut store = store(&component.engine, host, limits)?;
        let settings = if settings.trim().is_empty() { "{}" } else { settings };
        let (opened, _) = call(&mut store, Passage::default(), |store| {
            let bindings = component.pre.instantiate(&mut *store)?;
            let opened = bindings.defenderbeat_pipeline_transformer().pipeline().call_open(store, settings)?;
            Ok(opened.map(|pipeline| (bindings, pipeline)))
        });
        let (bindings, pipeline) = opened?.map_err(|mut error| {
            cut(&mut error.path, limits.message);
            cut(&mut error.message, limits.message);
            Error::Settings { path: error.path, message: error.message }
        })?;
        let born = store.data().memory();
        Ok(Self { store, bindings, pipeline, limits: *limits, born, calls: 0 })
    }

    /// Pushes payloads; `origins` says which entry of `progress` each belongs to. The receipt is verified.
    pub(crate) fn push(
        &mut self,
        feed: &str,
        received_at: i64,
        payloads: &[Bytes],
        origins: Vec<usize>,
        progress: &mut Vec<Progress>,
        sink: &mut dyn Sink,
    ) -> std::result::Result<Receipt, Failure> {
        let slices: Vec<&[u8]> = payloads.iter().map(Bytes::as_ref).collect();
        let batch = Batch { feed, received_at, payloads: &slices };
        let passage = Passage::new(origins, std::mem::take(progress));
        let (receipt, passage) =
            SINK.set(sink, || self.call(passage, |guest, store, pipeline| guest.call_push(store, pipeline, batch)));
        *progress = passage.progress;
        let receipt = self.tidy(Receipt::from(receipt?));
        verify::receipt(&receipt, payloads, &passage.written).map_err(|lie| Failure::Error(Error::Lie(lie)))?;
        Ok(receipt)
    }

    /// Ends a sync or the stream.
    pub(crate) fn finish(&mut self, sink: &mut dyn Sink) -> std::result::Result<Receipt, Failure> {
        let passage = Passage::new(vec![0], vec![Progress::default()]);
        let (receipt, passage) =
            SINK.set(sink, || self.call(passage, |guest, store, pipeline| guest.call_finish(store, pipeline)));
        let receipt = self.tidy(Receipt::from(receipt?));
        verify::finished(&receipt, &passage.written).map_err(|lie| Failure::Error(Error::Lie(lie)))?;
        Ok(receipt)
    }

    /// Takes facts.
    pub(crate) fn learn(&mut self, facts: &[u8]) -> std::result::Result<(), Failure> {
        self.call(Passage::default(), |guest, store, pipeline| guest.call_learn(store, pipeline, facts)).0
    }

    /// Takes facts that were learned before; what that takes is no sign of age.
    pub(crate) fn replay(&mut self, facts: &[u8]) -> std::result::Result<(), Failure> {
        self.learn(facts)?;
        (self.calls, self.born) = (0, self.store.data().memory());
        Ok(())
    }

    /// All that was learned.
    pub(crate) fn facts(&mut self) -> std::result::Result<Vec<u8>, Failure> {
        self.call(Passage::default(), |guest, store, pipeline| guest.call_facts(store, pipeline)).0
    }

    /// Whether nothing was done with it yet.
    pub(crate) fn is_new(&self) -> bool {
        self.calls == 0
    }

    /// Whether it has served long, or has grown to more than half the memory it may have. One that needs so much from
    /// the beginning may grow by a quarter: a new one would be as large.
    pub(crate) fn is_old(&self) -> bool {
        let Limits { calls, memory, .. } = self.limits;
        let large = self.born.saturating_add(memory / 4).max(memory / 2);
        self.calls >= calls || self.store.data().memory() > large
    }

    /// What it has used and takes.
    pub(crate) fn usage(&self) -> Usage {
        let host = self.store.data();
        let fuel = self.store.get_fuel().map_or(0, |left| FUEL - left);
        Usage { memory: host.memory(), traps: host.traps().into(), fuel }
    }

    fn call<R>(
        &mut self,
        passage: Passage,
        run: impl FnOnce(GuestPipeline<'_>, &mut Store<Host>, ResourceAny) -> wasmtime::Result<R>,
    ) -> (std::result::Result<R, Failure>, Passage) {
        self.calls = self.calls.saturating_add(1);
        let guest = self.bindings.defenderbeat_pipeline_transformer().pipeline();
        call(&mut self.store, passage, |store| run(guest, store, self.pipeline))
    }

    /// Cuts what a person reads.
    fn tidy(&self, mut receipt: Receipt) -> Receipt {
        for reject in &mut receipt.rejects {
            cut(&mut reject.path, self.limits.message);
            cut(&mut reject.message, self.limits.message);
        }
        for drift in &mut receipt.drift {
            cut(&mut drift.name, self.limits.message);
        }
        receipt
    }
}

/// Runs one call within its limits.
fn call<R>(
    store: &mut Store<Host>,
    passage: Passage,
    run: impl FnOnce(&mut Store<Host>) -> wasmtime::Result<R>,
) -> (std::result::Result<R, Failure>, Passage) {
    store.data_mut().begin(passage);
    // The next tick, at which the host looks at its clock.
    store.set_epoch_deadline(1);
    let result = run(store);
    let host = store.data_mut();
    let result = result.map_err(|error| host.failure(&error));
    (result, host.end())
}

fn store(engine: &Engine, host: Host, limits: &Limits) -> Result<Store<Host>> {
    let mut store = Store::new(&engine.inner, host);
    store.limiter(|host| host);
    store.set_hostcall_fuel(Host::copied(limits));
    let Options { interruption, fuel } = engine.options;
    if interruption {
        store.epoch_deadline_callback(|mut store| {
            let goes_on = store.data_mut().goes_on();
            Ok(if goes_on { UpdateDeadline::Continue(1) } else { UpdateDeadline::Interrupt })
        });
    }
    if fuel {
        store.set_fuel(FUEL).map_err(|error| Error::Engine(format!("{error:#}")))?;
    }
    Ok(store)
}
