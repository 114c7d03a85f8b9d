//! The smallest component: every payload is one record and leaves as it came.

/// Makes a component of one of the contracts that build.rs made.
///
/// `document` are fields that its `document` has beyond ours, `exports` functions beyond ours, `open` what to do first.
macro_rules! echo {
    (contract: $contract:literal, document: { $($field:tt)* }, exports: { $($export:tt)* }, open: { $($open:tt)* }) => {
        mod bindings {
            #![allow(unsafe_code, reason = "lifting and lowering at the component's boundary")]
            #![allow(
                missing_docs,
                unreachable_pub,
                clippy::all,
                clippy::allow_attributes_without_reason,
                reason = "generated"
            )]
            include!(concat!(env!("OUT_DIR"), "/", $contract, ".rs"));
            use super::Echo;
            export!(Echo);
        }

        use bindings::defenderbeat::pipeline::sink::{self, Document};
        use bindings::exports::defenderbeat::pipeline::transformer::{
            Batch, Descriptor, Feed, Guest, GuestPipeline, Pipeline, Receipt, SettingsError, State, Tally,
        };

        struct Echo;

        impl Guest for Echo {
            type Pipeline = Self;

            fn describe() -> Descriptor {
                Descriptor {
                    name: concat!("hostile-", $contract).to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ecs_version: "9.4.0".to_owned(),
                    tables: String::new(),
                    feeds: vec![Feed { name: "records".to_owned(), keys: Vec::new(), state: State::None }],
                    routes: vec!["test.hostile".to_owned()],
                }
            }

            $($export)*
        }

        impl GuestPipeline for Echo {
            fn open(_: String) -> Result<Pipeline, SettingsError> {
                $($open)*
                Ok(Pipeline::new(Self))
            }

            fn push(&self, batch: Batch) -> Receipt {
                let mut receipt = receipt();
                for (payload, bytes) in (0..).zip(&batch.payloads) {
                    let document = Document {
                        payload,
                        length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                        route: 0,
                        id_high: 0,
                        id_low: u64::from(payload),
                        time: batch.received_at,
                        position: 0,
                        $($field)*
                    };
                    sink::write(bytes, &[document]);
                    receipt.tallies.push(tally(1));
                }
                receipt
            }

            fn finish(&self) -> Receipt {
                let mut receipt = receipt();
                receipt.tallies.push(tally(0));
                receipt
            }

            fn learn(&self, _: Vec<u8>) {}

            fn facts(&self) -> Vec<u8> {
                Vec::new()
            }
        }

        fn receipt() -> Receipt {
            Receipt { tallies: Vec::new(), rejects: Vec::new(), drift: Vec::new(), facts: Vec::new() }
        }

        fn tally(count: u32) -> Tally {
            Tally { records: count, mapped: count, held: 0, dropped: 0, rejected: 0, documents: count, position: 0 }
        }
    };
}
