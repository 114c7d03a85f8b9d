//! How a server is set up.

/// How a server is set up. The default is one without TLS on all cores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Whether it talks TLS.
    pub tls: Tls,
    /// The only core that it may run on, counted from 0; without it all.
    pub core: Option<usize>,
    /// More settings of `elasticsearch.yml`, such as `("http.max_content_length", "1mb")`.
    pub settings: Vec<(String, String)>,
}

/// Whether a server talks TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// It does not.
    #[default]
    Off,
    /// It shows a certificate for 127.0.0.1 and localhost of an authority of its own.
    On,
    /// It also asks clients for a certificate of that authority.
    ClientCertificate,
}
