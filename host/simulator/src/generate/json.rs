//! JSON whose members keep their order, as Graph sends them.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value of JSON.
pub(crate) enum Json {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Cow<'static, str>),
    List(Vec<Self>),
    Object(Vec<Member>),
}

/// A member of an object.
pub(crate) type Member = (Cow<'static, str>, Json);

/// Members of an object, in their order: `members! { "name": value, .. }`.
macro_rules! members {
    ($($name:literal : $value:expr),* $(,)?) => {
        vec![$((::std::borrow::Cow::Borrowed($name), $crate::generate::json::Json::from($value))),*]
    };
}

/// An object: `object! { "name": value, .. }`.
macro_rules! object {
    ($($members:tt)*) => { $crate::generate::json::Json::Object($crate::generate::json::members! { $($members)* }) };
}

pub(crate) use {members, object};

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => values.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

macro_rules! from {
    ($($type:ty => $value:ident => $json:expr;)*) => {
        $(impl From<$type> for Json {
            fn from($value: $type) -> Self {
                $json
            }
        })*
    };
}

from! {
    bool => value => Self::Boolean(value);
    i32 => value => Self::Integer(value.into());
    u32 => value => Self::Integer(value.into());
    i64 => value => Self::Integer(value);
    f64 => value => Self::Real(value);
    &'static str => value => Self::Text(value.into());
    String => value => Self::Text(value.into());
    &String => value => Self::Text(value.clone().into());
}

impl<T: Into<Self>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Json {
    fn from(values: [T; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
