//! The keystore: secrets by name, in one file that is encrypted.
//!
//! A file is the line `HEADER` and a line of base64: the salt, the nonce, and what is encrypted, a JSON object, with its tag. The key is made of the
//! password by Argon2id (RFC 9106) with the parameters that OWASP recommends; the cipher is ChaCha20-Poly1305 (RFC 8439), which
//! also holds the header. Each time it is saved salt and nonce are new.
//!
//! Without a password, as in Beats, everybody who can read the file can decrypt it with this program: what protects it then is its mode, 0600.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::checkpoint::sync_folder;
use crate::config::Env;
use crate::http::read_secret;
use crate::permissions::{Closed, fault};

/// Begins each file. Another version has another number.
const HEADER: &str = "defenderbeat-keystore 1";
/// Bytes of the salt.
const SALT: usize = 16;
/// Bytes of the key.
const KEY: usize = 32;
/// Memory (KiB), iterations and lanes of Argon2id
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// The environment variable that names the file of the password.
const PASSWORD_FILE: &str = "DEFENDERBEAT_KEYSTORE_PASSWORD_FILE";

/// Why a keystore cannot be used. No value is part of the text.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// It is not there.
    #[error("there is no keystore {}; `defenderbeat keystore create` makes one", .0.display())]
    Missing(PathBuf),
    /// It is there, and must not be replaced.
    #[error("there is a keystore {} already; --force puts an empty one in its place", .0.display())]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("the keystore {}: {source}; it has to be run as the user who owns it", path.display())]
    File {
        /// The keystore, or the file of its password.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others can read or write it.
    #[error("the keystore {} is refused: {fault}; --strict.perms=false takes it all the same", path.display())]
    Permissions {
        /// The keystore.
        path: PathBuf,
        /// What is wrong, and what to do.
        fault: String,
    },
    /// It is not decrypted by the password.
    #[error(
        "the keystore {} cannot be decrypted: {PASSWORD_FILE} names another password than it was made with, or none, or the file is damaged",
        .0.display()
    )]
    Password(PathBuf),
    /// It is no keystore, or one of another version.
    #[error("{} is no keystore of this version: it does not begin with {HEADER:?}", .0.display())]
    Version(PathBuf),
    /// A key cannot be named.
    #[error("{0:?} is no key: keys are of letters, digits, `_`, `.` and `-`")]
    Key(String),
    /// The system has no randomness, or too little memory: nothing that can be helped here.
    #[error("the keystore cannot be encrypted: {0}")]
    Cipher(String),
}

/// Secrets by their keys.
pub struct Keystore {
    path: PathBuf,
    password: Zeroizing<String>,
    values: BTreeMap<String, Zeroizing<String>>,
}

impl std::fmt::Debug for Keystore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keystore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The password that the environment names a file of; empty where it names none.
///
/// # Errors
///
/// The file cannot be read.
pub fn password(env: Env<'_>) -> Result<Zeroizing<String>, KeystoreError> {
    let Some(path) = env(PASSWORD_FILE).filter(|path| !path.is_empty()) else { return Ok(Zeroizing::default()) };
    let path = PathBuf::from(path);
    File::open(&path).and_then(read_secret).map_err(|source| KeystoreError::File { path, source })
}

/// Whether a text can be a key, and so be written as `${KEY}`.
pub(crate) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

impl Keystore {
    /// An empty one, which is not there before it is [saved](Self::save).
    pub fn new(path: PathBuf, password: Zeroizing<String>) -> Self {
        Self { path, password, values: BTreeMap::new() }
    }

    /// Decrypts the file. `strict` refuses one that others can read or write.
    ///
    /// # Errors
    ///
    /// It is not there, not closed, or not to be decrypted.
    pub fn open(path: PathBuf, password: Zeroizing<String>, strict: bool) -> Result<Self, KeystoreError> {
        let failed = |source| KeystoreError::File { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KeystoreError::Missing(path)),
            opened => opened.map_err(failed)?,
        };
        let fault = fault(&file, &path, Closed::ToAll).map_err(failed)?;
        if let Some(fault) = fault.filter(|_| strict) {
            return Err(KeystoreError::Permissions { path, fault });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let Some(sealed) = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')) else {
            return Err(KeystoreError::Version(path));
        };
        match unseal(sealed.trim_end(), &password) {
            Some(values) => Ok(Self { path, password, values }),
            None => Err(KeystoreError::Password(path)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The secret of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.as_str())
    }

    /// Puts a secret in, in the place of another one of this key.
    ///
    /// # Errors
    ///
    /// The key is none.
    pub fn add(&mut self, key: &str, value: Zeroizing<String>) -> Result<(), KeystoreError> {
        if !is_key(key) {
            return Err(KeystoreError::Key(key.to_owned()));
        }
        self.values.insert(key.to_owned(), value);
        Ok(())
    }

    /// Takes a secret out; says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.values.remove(key).is_some()
    }

    /// Writes the file, with mode 0600: beside the one that is there, which is then replaced. `force`: also one that was there before.
    ///
    /// # Errors
    ///
    /// It cannot be written, or is there and must not be.
    pub fn save(&self, force: bool) -> Result<(), KeystoreError> {
        let failed = |source| KeystoreError::File { path: self.path.clone(), source };
        let text = format!("{HEADER}\n{}\n", seal(&self.values, &self.password)?);
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        // Files of this kind are closed to others.
        let mut file = tempfile::Builder::new().prefix(".keystore").tempfile_in(folder).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        let kept = if force { file.persist(&self.path) } else { file.persist_noclobber(&self.path) };
        kept.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => KeystoreError::Exists(self.path.clone()),
            _ => failed(error.error),
        })?;
        sync_folder(folder).map_err(failed)
    }
}

fn cipher(password: &str, salt: &[u8]) -> Result<LessSafeKey, KeystoreError> {
    let failed = |error: argon2::Error| KeystoreError::Cipher(error.to_string());
    let (memory, iterations, lanes) = COST;
    let params = Params::new(memory, iterations, lanes, Some(KEY)).map_err(failed)?;
    let mut key = Zeroizing::new([0; KEY]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt, key.as_mut_slice()).map_err(failed)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice());
    key.map(LessSafeKey::new).map_err(|error| KeystoreError::Cipher(error.to_string()))
}

fn seal(values: &BTreeMap<String, Zeroizing<String>>, password: &str) -> Result<String, KeystoreError> {
    let failed = |error: ring::error::Unspecified| KeystoreError::Cipher(error.to_string());
    let random = SystemRandom::new();
    let (mut salt, mut nonce) = ([0; SALT], [0; NONCE_LEN]);
    random.fill(&mut salt).and_then(|()| random.fill(&mut nonce)).map_err(failed)?;
    let values: BTreeMap<&str, &str> = values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    // Large enough for the text, which is left nowhere while it grows, and for the tag.
    let room = values.iter().map(|(key, value)| key.len() + 6 * value.len() + 8).sum::<usize>() + 64;
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *text, &values).map_err(|error| KeystoreError::Cipher(error.to_string()))?;
    let key = cipher(password, &salt)?;
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(HEADER), &mut *text).map_err(failed)?;
    Ok(STANDARD.encode([&salt[..], &nonce[..], &text[..]].concat()))
}

/// None: it cannot be decrypted.
fn unseal(sealed: &str, password: &str) -> Option<BTreeMap<String, Zeroizing<String>>> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (salt, rest) = bytes.split_at_checked(SALT)?;
    let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
    let mut text = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let text = cipher(password, salt).ok()?.open_in_place(nonce, Aad::from(HEADER), &mut text).ok()?;
    let values: BTreeMap<String, String> = serde_json::from_slice(text).ok()?;
    Some(values.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[test]
    fn what_is_added_is_there_until_it_is_removed_and_only_with_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/defenderbeat.keystore");
        let open = |password: &str| Keystore::open(path.clone(), text(password), true);
        assert!(matches!(open(""), Err(KeystoreError::Missing(_))));
        for password in ["", "correct horse"] {
            let mut keystore = Keystore::new(path.clone(), text(password));
            assert!(matches!(keystore.add("a b", text("x")), Err(KeystoreError::Key(_))));
            keystore.add("es.api-key_1", text("hunter2 \"ü\"\n")).unwrap();
            keystore.add("other", text("")).unwrap();
            keystore.save(true).unwrap();
            let mut keystore = open(password).unwrap();
            assert_eq!(keystore.get("es.api-key_1"), Some("hunter2 \"ü\"\n"));
            assert_eq!(keystore.keys().collect::<Vec<_>>(), ["es.api-key_1", "other"]);
            assert!(keystore.remove("other") && !keystore.remove("other"));
            keystore.save(true).unwrap();
            assert_eq!(open(password).unwrap().keys().count(), 1);
            assert!(matches!(keystore.save(false), Err(KeystoreError::Exists(_))));
            assert!(matches!(open("wrong"), Err(KeystoreError::Password(_))));
            let shown = format!("{keystore:?}{}", fs::read_to_string(&path).unwrap());
            assert!(!shown.contains("hunter2") && !shown.contains("es.api"), "{shown}");
        }
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_is_cut_changed_or_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keystore");
        let mut keystore = Keystore::new(path.clone(), text(""));
        keystore.add("key", text("value")).unwrap();
        keystore.save(true).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            Keystore::open(path.clone(), Zeroizing::default(), true).unwrap_err()
        };
        let begin = HEADER.len() + 1;
        for at in [begin + 2, begin + 30, whole.len() - 4] {
            let other = if &whole[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &whole[..at], &whole[at + 1..]);
            assert!(matches!(refused(&changed), KeystoreError::Password(_)), "{at}");
        }
        for length in [begin, begin + 5, begin + 40] {
            assert!(matches!(refused(&whole[..length]), KeystoreError::Password(_)), "{length}");
        }
        for text in ["", "key: value\n", &whole.replace("keystore 1", "keystore 2")] {
            assert!(matches!(refused(text), KeystoreError::Version(_)), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keystore");
        Keystore::new(path.clone(), text("")).save(false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Keystore::open(path.clone(), text(""), true).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("--strict.perms=false"), "{error}");
        Keystore::open(path, text(""), false).unwrap();
    }
}
