//! The parts of a URL (RFC 3986; RFC 3987 for characters beyond ASCII).

use fluent_uri::IriRef;

use crate::arena::Arena;
use crate::text::Text;
use crate::value::Value;
use crate::write;

/// Subfields of a URL object, in the order of writing.
pub const PARTS: [&str; 11] = [
    "domain",
    "extension",
    "fragment",
    "original",
    "password",
    "path",
    "port",
    "query",
    "scheme",
    "user_info",
    "username",
];

/// The parts as a JSON object; none where the text is no URL. Relative text is a path. A bracketed IPv6 host keeps
/// its brackets.
pub(crate) fn parts<'r>(text: &str, arena: &'r Arena) -> Option<&'r str> {
    let split = Split::new(text)?;
    Some(arena.write(|json| write_parts(text, &split, json)))
}

fn write_parts(text: &str, split: &Split<'_>, json: &mut Text) {
    let url = split.head;
    let authority = url.authority();
    let user_info = authority.as_ref().and_then(|authority| authority.userinfo()).map(|info| info.as_str());
    let (username, password) = match user_info {
        Some(info) => info.split_once(':').map_or((Some(info), None), |(name, password)| (Some(name), Some(password))),
        None => (None, None),
    };
    let path = split.path.unwrap_or(url.path().as_str());
    let extension =
        path.rsplit('/').next().and_then(|segment| segment.rsplit_once('.')).map(|(_, extension)| extension);
    let port =
        authority.as_ref().and_then(|authority| authority.port()).and_then(|port| port.as_str().parse::<u32>().ok());
    for (name, part) in PARTS.iter().zip([
        authority.as_ref().map(|authority| authority.host()),
        extension,
        split.fragment.or(url.fragment().map(|fragment| fragment.as_str())),
        Some(text),
        password,
        Some(path),
        None,
        split.query.or(url.query().map(|query| query.as_str())),
        url.scheme().map(|scheme| scheme.as_str()),
        user_info,
        username,
    ]) {
        let value = match port {
            Some(port) if *name == "port" => Value::Long(i64::from(port)),
            _ => Value::from_text(part.unwrap_or_default()),
        };
        if !value.is_missing() {
            json.push_str(if json.is_empty() { "{\"" } else { ",\"" });
            json.push_str(name);
            json.push_str("\":");
            write::value(&value, json);
        }
    }
    json.push('}');
}

/// What a URL parser is asked about, and what it would refuse.
struct Split<'t> {
    head: IriRef<&'t str>,
    path: Option<&'t str>,
    query: Option<&'t str>,
    fragment: Option<&'t str>,
}

impl<'t> Split<'t> {
    /// Behind the host, URLs of the web are often full of characters that RFC 3986 refuses (spaces, `|`, `{`); such ones
    /// are split all the same, at the first `?` and `#`.
    fn new(text: &'t str) -> Option<Self> {
        if let Ok(head) = IriRef::parse(text) {
            return Some(Self { head, path: None, query: None, fragment: None });
        }
        let (scheme, rest) = text.split_once("://")?;
        if !["http", "https", "ftp"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (head, rest) = text.split_at_checked(scheme.len() + "://".len() + end)?;
        let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        Some(Self { head: IriRef::parse(head).ok()?, path: Some(path), query, fragment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<String> {
        super::parts(text, &Arena::default()).map(str::to_owned)
    }

    #[test]
    fn all_parts() {
        assert_eq!(
            parts("https://u:p@[fe80::1]:8443/a/b.tar.gz?x=1#top").unwrap(),
            r#"{"domain":"[fe80::1]","extension":"gz","fragment":"top","original":"https://u:p@[fe80::1]:8443/a/b.tar.gz?x=1#top","password":"p","path":"/a/b.tar.gz","port":8443,"query":"x=1","scheme":"https","user_info":"u:p","username":"u"}"#
        );
    }

    #[test]
    fn characters_that_may_not_stand_behind_a_host_do_not_matter() {
        assert_eq!(
            parts("https://a.b/x y?q={z}|1#p#q").unwrap(),
            r#"{"domain":"a.b","fragment":"p#q","original":"https://a.b/x y?q={z}|1#p#q","path":"/x y","query":"q={z}|1","scheme":"https"}"#
        );
    }

    #[test]
    fn relative_text_is_a_path_and_broken_text_is_none() {
        assert_eq!(parts("example.com/x").unwrap(), r#"{"original":"example.com/x","path":"example.com/x"}"#);
        assert_eq!(parts("http://a b"), None);
        assert_eq!(parts("not a url"), None);
        assert_eq!(parts("http://[::1"), None);
    }
}
