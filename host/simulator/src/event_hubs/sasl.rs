//! How a client presents itself. Azure's clients are anonymous at first and put tokens to `$cbs`; PLAIN brings the key.

use std::sync::Arc;

use fe2o3_amqp::acceptor::SaslAcceptor;
use fe2o3_amqp::acceptor::sasl_acceptor::SaslServerFrame;
use fe2o3_amqp::types::primitives::{Array, Symbol};
use fe2o3_amqp::types::sasl::{SaslCode, SaslInit, SaslOutcome, SaslResponse};

use super::grants::Grants;
use super::options::EventHubsOptions;

/// The mechanisms that Event Hubs offers. MSSBCBS and EXTERNAL are other names of ANONYMOUS here.
const MECHANISMS: [&str; 4] = ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"];

/// The server's side of SASL on one connection.
#[derive(Clone, Debug)]
pub(super) struct Sasl {
    pub(super) options: Arc<EventHubsOptions>,
    pub(super) grants: Arc<Grants>,
}

impl Sasl {
    fn is_key(&self, response: &[u8]) -> bool {
        let mut fields = response.split(|byte| *byte == 0).skip(1);
        let (name, key) = (fields.next(), fields.next());
        name == Some(self.options.key_name.as_bytes()) && key == Some(self.options.key.as_bytes())
    }
}

fn outcome(code: SaslCode) -> SaslServerFrame {
    SaslServerFrame::Outcome(SaslOutcome { code, additional_data: None })
}

impl SaslAcceptor for Sasl {
    fn mechanisms(&self) -> Array<Symbol> {
        MECHANISMS.map(Symbol::from).to_vec().into()
    }

    fn on_init(&mut self, init: SaslInit) -> SaslServerFrame {
        match init.mechanism.as_str() {
            "PLAIN" if self.is_key(&init.initial_response.unwrap_or_default()) => {
                self.grants.add("", None);
                outcome(SaslCode::Ok)
            }
            "MSSBCBS" | "ANONYMOUS" | "EXTERNAL" => outcome(SaslCode::Ok),
            _ => outcome(SaslCode::Auth),
        }
    }

    /// No mechanism has a second step.
    fn on_response(&mut self, _: SaslResponse) -> SaslServerFrame {
        outcome(SaslCode::Sys)
    }
}
