//! Why something is refused, on a link or in an answer.

use fe2o3_amqp::types::definitions::{AmqpError, Error, ErrorCondition, LinkError};
use fe2o3_amqp::types::primitives::Symbol;

/// A condition of AMQP, the status of an answer, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) condition: ErrorCondition,
    pub(super) status: i32,
    pub(super) description: String,
}

impl Refusal {
    pub(super) fn not_found(entity: &str) -> Self {
        Self {
            condition: AmqpError::NotFound.into(),
            status: 404,
            description: format!("The messaging entity '{entity}' could not be found."),
        }
    }

    pub(super) fn unauthorized(description: impl Into<String>) -> Self {
        Self { condition: AmqpError::UnauthorizedAccess.into(), status: 401, description: description.into() }
    }

    pub(super) fn invalid(description: impl Into<String>) -> Self {
        Self { condition: AmqpError::InvalidField.into(), status: 400, description: description.into() }
    }

    /// A receiver with a higher epoch has the partition.
    pub(super) fn stolen(description: impl Into<String>) -> Self {
        Self { condition: LinkError::Stolen.into(), status: 409, description: description.into() }
    }

    pub(super) fn exceeded(description: impl Into<String>) -> Self {
        Self { condition: AmqpError::ResourceLimitExceeded.into(), status: 403, description: description.into() }
    }

    /// A receiver takes no message of such a size.
    pub(super) fn too_long(size: u64, limit: u64) -> Self {
        Self {
            condition: LinkError::MessageSizeExceeded.into(),
            status: 403,
            description: format!("A message of {size} bytes exceeds the receiver's limit of {limit} bytes."),
        }
    }

    /// A fault: trying again helps.
    pub(super) fn busy() -> Self {
        Self {
            condition: ErrorCondition::Custom(Symbol::from("com.microsoft:server-busy")),
            status: 503,
            description: "The server was unable to process the request; please retry the operation.".to_owned(),
        }
    }

    /// The condition's name.
    pub(super) fn name(&self) -> Symbol {
        match &self.condition {
            ErrorCondition::AmqpError(condition) => Symbol::from(condition),
            ErrorCondition::ConnectionError(condition) => Symbol::from(condition),
            ErrorCondition::SessionError(condition) => Symbol::from(condition),
            ErrorCondition::LinkError(condition) => Symbol::from(condition),
            ErrorCondition::Custom(condition) => condition.clone(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.condition, refusal.description, None)
    }
}
