//! A login server that gives tokens as Microsoft Entra does, signed with a key that the broker knows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::kafka::broker::PASSWORD;

/// Signs tokens of the user `writer`.
pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap())
    }

    /// The public key as a JSON Web Key Set.
    pub(crate) fn keys(&self) -> String {
        // A byte that says that it is not compressed, then both coordinates.
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "one", "x": x, "y": y}]}).to_string()
    }

    fn token(&self, audience: &str, seconds: u64) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": "one"});
        let claims = json!({"aud": audience, "sub": "writer", "iat": now, "exp": now + seconds});
        let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Serves until the test ends.
pub(crate) struct Login {
    pub(crate) url: String,
    given: Arc<AtomicU64>,
}

impl Login {
    /// Gives tokens that are good for so many seconds to whoever knows [`PASSWORD`].
    pub(crate) async fn start(signer: Arc<Signer>, seconds: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let given = Arc::new(AtomicU64::new(0));
        let count = given.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let (mut line, mut length) = (String::new(), 0);
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut form = vec![0; length];
                stream.read_exact(&mut form).await.unwrap();
                let form: HashMap<String, String> = url::form_urlencoded::parse(&form).into_owned().collect();
                let audience = form["scope"].strip_suffix("/.default").unwrap();
                let (status, body) = if form["client_secret"] == PASSWORD {
                    count.fetch_add(1, Ordering::SeqCst);
                    let token = signer.token(audience, seconds);
                    (200, json!({"token_type": "Bearer", "expires_in": seconds, "access_token": token}))
                } else {
                    let description = "AADSTS7000215: Invalid client secret provided.";
                    let error = json!({"error": "invalid_client", "error_description": description, "error_codes": [7_000_215]});
                    (401, error)
                };
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        Self { url, given }
    }

    /// How many tokens it gave.
    pub(crate) fn given(&self) -> u64 {
        self.given.load(Ordering::SeqCst)
    }
}
