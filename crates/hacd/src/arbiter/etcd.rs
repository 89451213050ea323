//! etcd by its JSON gateway (`/v3/kv/range`, `/v3/kv/txn`, `/v3/auth/authenticate`; from release 3.4 on): keys and values are base64,
//! 64-bit numbers are texts, everything is a `POST`.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hac_agents::Addresses;
use hac_node::{ArbiterAnswer, ArbiterFound, ArbiterMark, ArbiterOutcome};
use hac_quorum::ArbiterRequest;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_rustls::rustls;
use zeroize::Zeroizing;

use super::Etcd;
use crate::files;
use crate::storage::words;

/// How long one member of the store may take before the next one is asked.
const EACH: Duration = Duration::from_secs(1);

/// How long an idle connection is kept: one that is open saves the handshake when it matters.
const IDLE: Duration = Duration::from_secs(90);

/// Longest answer that is taken, bytes.
const ANSWER_MAX: usize = 64 << 10;

/// Longest file with a certificate, a key or a password, bytes.
const FILE_MAX: u64 = 1 << 20;

/// A client of one store.
pub(super) struct Client {
    place: Etcd,
    http: Mutex<Option<reqwest::Client>>,
    addresses: Addresses,
    /// The member that answered last.
    first: AtomicUsize,
    /// What the store gave for the password.
    token: Mutex<Option<Zeroizing<String>>>,
}

/// Why a member did not do what it was asked.
enum Trouble {
    /// It did not answer in time.
    Silent,
    /// Another one may.
    Failed(String),
    /// It does not know the token any more.
    Token(String),
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Silent => "no answer in time".to_owned(),
            Trouble::Failed(why) | Trouble::Token(why) => why,
        }
    }
}

impl Client {
    /// Of the store at this place. Nothing is read or sent yet.
    pub(super) fn new(place: Etcd) -> Self {
        let addresses = Addresses::default();
        Self { place, http: Mutex::new(None), addresses, first: AtomicUsize::new(0), token: Mutex::new(None) }
    }

    /// Asks one member after the other until one answers.
    ///
    /// # Errors
    /// None did: why, without a secret.
    pub(super) async fn ask(&self, cluster: &str, request: &ArbiterRequest) -> Result<ArbiterAnswer, String> {
        let http = self.http()?;
        let key = STANDARD.encode(format!("{}{cluster}/epoch", self.place.prefix));
        let (path, body) = body(&key, request);
        let count = self.place.endpoints.len();
        let first = self.first.load(Ordering::Relaxed);
        let mut why = "no endpoint is named".to_owned();
        for turn in 0..count {
            let index = first.wrapping_add(turn).checked_rem(count).unwrap_or(0);
            let Some(endpoint) = self.place.endpoints.get(index) else { continue };
            let answer = self.member(&http, endpoint, path, &body).await;
            match answer.and_then(|value| read(&value, request).ok_or_else(|| "its answer is not etcd's".to_owned())) {
                Ok(answer) => {
                    self.first.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(problem) => why = format!("{endpoint}: {problem}"),
            }
        }
        self.first.store(first.wrapping_add(1).checked_rem(count).unwrap_or(0), Ordering::Relaxed);
        Err(why)
    }

    /// One member; a token that it does not know is asked for once more.
    async fn member(&self, http: &reqwest::Client, endpoint: &str, path: &str, body: &Value) -> Result<Value, String> {
        for again in [false, true] {
            let token = match &self.place.user {
                Some((user, file)) => Some(self.token(http, endpoint, user, file).await?),
                None => None,
            };
            let token_text = token.as_deref().map(String::as_str);
            match self.send(http, &format!("{endpoint}{path}"), body, token_text).await {
                Ok(value) => return Ok(value),
                Err(Trouble::Token(_)) if !again && token.is_some() => {
                    *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err("it does not take the password".to_owned())
    }

    /// One request; what its name stands for is tried in turn.
    async fn send(
        &self,
        http: &reqwest::Client,
        url: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<Value, Trouble> {
        let answer = send(http, url, body, token).await;
        if matches!(answer, Err(Trouble::Silent)) {
            self.addresses.turn();
        }
        answer
    }

    async fn token(
        &self,
        http: &reqwest::Client,
        endpoint: &str,
        user: &str,
        file: &Path,
    ) -> Result<Zeroizing<String>, String> {
        if let Some(token) = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(token);
        }
        let text = Zeroizing::new(read_file(file)?);
        let body = json!({ "name": user, "password": text.trim_end_matches(['\n', '\r']) });
        let answer = self.send(http, &format!("{endpoint}/v3/auth/authenticate"), &body, None).await;
        let answer = answer.map_err(|trouble| format!("user {user} is not let in: {}", String::from(trouble)))?;
        let token = answer["token"].as_str().ok_or("it gives no token for the password")?;
        let token = Zeroizing::new(token.to_owned());
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    /// The connections, made at the first request: files that are not there yet are read when they are.
    fn http(&self) -> Result<reqwest::Client, String> {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = &*http {
            return Ok(http.clone());
        }
        let made = self.connect()?;
        *http = Some(made.clone());
        Ok(made)
    }

    fn connect(&self) -> Result<reqwest::Client, String> {
        // Only fails if it is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .timeout(EACH)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(self.addresses.clone())
            .user_agent(concat!("hacd/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &self.place.ca_file {
            let pem = read_file(file)?;
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|_| format!("{} has no certificate in it", file.display()))?;
            builder = builder.tls_certs_only(certificates);
        }
        if let Some((certificate, key)) = &self.place.identity {
            let pem = Zeroizing::new(format!("{}\n{}", read_file(key)?, read_file(certificate)?));
            let identity = reqwest::Identity::from_pem(pem.as_bytes()).map_err(|_| {
                format!("{} and {} are no certificate with its key", certificate.display(), key.display())
            })?;
            builder = builder.identity(identity);
        }
        builder.build().map_err(|error| format!("no connections: {}", error.without_url()))
    }
}

fn read_file(file: &Path) -> Result<String, String> {
    files::read_text(file, FILE_MAX).map_err(|error| format!("{} cannot be read: {}", file.display(), words(&error)))
}

/// One request to one member.
async fn send(http: &reqwest::Client, url: &str, body: &Value, token: Option<&str>) -> Result<Value, Trouble> {
    let failed = |error: reqwest::Error| {
        if error.is_timeout() { Trouble::Silent } else { Trouble::Failed(causes(&error.without_url())) }
    };
    let mut request = http.post(url).json(body);
    if let Some(token) = token {
        request = request.header(reqwest::header::AUTHORIZATION, token);
    }
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_MAX {
            return Err(Trouble::Failed("an answer too long to be one".to_owned()));
        }
    }
    let value: Option<Value> = serde_json::from_slice(&bytes).ok();
    if status.is_success() {
        return value.ok_or_else(|| Trouble::Failed("an answer that is no JSON".to_owned()));
    }
    // Release 3.4 and 3.5 say `error` and `message`, 3.6 `message` alone.
    let said = value.as_ref().and_then(|value| value["message"].as_str().or_else(|| value["error"].as_str()));
    let said: String = said.unwrap_or("no reason given").chars().filter(|c| !c.is_control()).take(200).collect();
    let why = format!("{said} ({})", status.as_u16());
    let unknown = status == StatusCode::UNAUTHORIZED || said.contains("auth token");
    Err(if unknown { Trouble::Token(why) } else { Trouble::Failed(why) })
}

/// What an error says, with what it comes from.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

/// Path and body of a request.
fn body(key: &str, request: &ArbiterRequest) -> (&'static str, Value) {
    match request {
        ArbiterRequest::Read | ArbiterRequest::Since(_) => ("/v3/kv/range", json!({ "key": key })),
        ArbiterRequest::Swap { expected, mark } => {
            let value = STANDARD.encode(text(mark));
            let compare = json!({
                "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": expected.to_string(),
            });
            let body = json!({
                "compare": [compare],
                "success": [{ "request_put": { "key": key, "value": value } }],
                "failure": [{ "request_range": { "key": key } }],
            });
            ("/v3/kv/txn", body)
        }
    }
}

/// What lies in the register.
fn text(mark: &ArbiterMark) -> String {
    let members: Vec<u32> = mark.members.iter().map(|node| node.0).collect();
    let value = json!({
        "epoch": mark.epoch,
        "node": mark.node.0,
        "incarnation": format!("{:016x}", mark.incarnation),
        "nonce": mark.nonce,
        "members": members,
        "wall": crate::clock::wall().0,
    });
    value.to_string()
}

/// What was put there by [`text`]; nothing else is.
fn mark(bytes: &[u8]) -> Option<ArbiterMark> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let node = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok()).map(hac_types::NodeId);
    Some(ArbiterMark {
        epoch: value["epoch"].as_u64()?,
        node: node(&value["node"])?,
        incarnation: u64::from_str_radix(value["incarnation"].as_str()?, 16).ok()?,
        nonce: value["nonce"].as_str()?.to_owned(),
        members: value["members"].as_array()?.iter().filter_map(node).collect(),
    })
}

/// A 64-bit number, which JSON's readers would round; left out where it is zero.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// What an answer says, if it is one to this request.
fn read(answer: &Value, request: &ArbiterRequest) -> Option<ArbiterAnswer> {
    let header = answer["header"].as_object()?;
    let store = number(header.get("cluster_id")?)?;
    let revision = number(header.get("revision")?)?;
    let outcome = match request {
        ArbiterRequest::Read | ArbiterRequest::Since(_) => found(answer)?,
        ArbiterRequest::Swap { .. } if answer["succeeded"] == true => ArbiterOutcome::Swapped,
        ArbiterRequest::Swap { .. } => found(answer["responses"].get(0)?.get("response_range")?)?,
    };
    Some(ArbiterAnswer { store, revision, outcome })
}

/// What a range has.
fn found(range: &Value) -> Option<ArbiterOutcome> {
    let Some(kv) = range["kvs"].get(0) else {
        // A key that is not there.
        return range.is_object().then_some(ArbiterOutcome::Found(None));
    };
    let revision = number(&kv["mod_revision"]).filter(|revision| *revision > 0)?;
    let bytes = STANDARD.decode(kv["value"].as_str().unwrap_or_default()).ok()?;
    Some(ArbiterOutcome::Found(Some(ArbiterFound { revision, mark: mark(&bytes) })))
}

#[cfg(test)]
mod tests;
