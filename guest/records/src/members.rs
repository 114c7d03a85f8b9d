//! Scalar members of an envelope that a host asks for.

use crate::text;

/// Values longer than this are left out: a link to the next page takes some kilobytes.
pub(crate) const MAX_MEMBER_SIZE: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Members {
    wanted: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    /// Seen in an object that is not yet known to be an envelope.
    pending: Option<String>,
    value: Option<String>,
}

impl Members {
    pub(crate) fn want(&mut self, name: &str) {
        self.wanted.push(Member { name: name.to_owned(), pending: None, value: None });
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.wanted.iter().find(|member| member.name == name)?.value.as_deref()
    }

    pub(crate) fn wants(&self, key: &[u8]) -> bool {
        self.wanted.iter().any(|member| text::is(key, &member.name))
    }

    /// An envelope begins: what was seen in it is true, what an earlier one said no longer is.
    pub(crate) fn envelope(&mut self) {
        for member in &mut self.wanted {
            member.value = member.pending.take();
        }
    }

    /// The object was a record.
    pub(crate) fn forget(&mut self) {
        for member in &mut self.wanted {
            member.pending = None;
        }
    }

    pub(crate) fn take(&mut self, key: &[u8], value: &[u8], known: bool) {
        let value = match value.first() {
            _ if value.len() > MAX_MEMBER_SIZE => None,
            Some(b'"') => text::decode(value),
            Some(b'{' | b'[' | b'n') | None => None,
            Some(_) => std::str::from_utf8(value).ok().map(str::to_owned),
        };
        for member in self.wanted.iter_mut().filter(|member| text::is(key, &member.name)) {
            if known {
                member.value = value.clone();
            } else {
                member.pending = value.clone();
            }
        }
    }
}
