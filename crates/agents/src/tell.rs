//! Programs that tell somebody of something: those of alerts, and the mail transfer agent of this host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::cloud::Addresses;
use crate::look::Looks;
use crate::runs::{Runs, Task};
use crate::{Options, ocf};

/// The user as whom Pacemaker runs them.
const USER: &str = "hacluster";

/// Longest reason of a failure, characters.
const REASON_MAX: usize = 300;

/// A program that is to be run to tell somebody of something.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// Why it is run, for people: `alert mail`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables, besides those that every agent has.
    pub variables: BTreeMap<String, String>,
    /// What it reads on its standard input, if anything.
    pub input: Option<String>,
    /// How long it may take; then it is killed with all that it started.
    pub timeout: Duration,
    /// It is run as the user of the cluster's programs, if this host has that one.
    pub as_user: bool,
}

/// Something that is posted to an address of the web.
#[derive(Clone, Default)]
pub struct Posting {
    /// The address. It may be a secret, so it is in no sentence of a failure.
    pub url: String,
    /// Names and values, beside those that belong to every request. There may be secrets in them.
    pub headers: Vec<(&'static str, String)>,
    /// What is posted.
    pub body: String,
}

/// How long somebody at an address of the web may take.
const POST: Duration = Duration::from_secs(10);

/// Most of an answer that is read, bytes.
const ANSWER_MAX: usize = 64 << 10;

/// Runs them.
#[derive(Debug)]
pub(crate) struct Tellings {
    common: BTreeMap<String, String>,
    count: AtomicU64,
    looks: Arc<Looks>,
    runs: Arc<Runs>,
    /// Made when it is needed; or why it cannot be.
    http: OnceLock<Result<reqwest::Client, String>>,
    addresses: Addresses,
}

impl Tellings {
    pub(crate) fn new(options: &Options, looks: Arc<Looks>, runs: Arc<Runs>) -> Self {
        let mut common = options.environment.clone();
        let mut put = |name: &str, value: String| common.insert(name.to_owned(), value);
        put("LC_ALL", "C".to_owned());
        match &options.tools {
            Some(tools) => {
                put("PATH", format!("{}:{}", tools.display(), ocf::PATH));
                put("HA_SBIN_DIR", tools.display().to_string());
            }
            None => {
                put("PATH", ocf::PATH.to_owned());
            }
        }
        let (http, addresses) = (OnceLock::new(), Addresses::default());
        Self { common, count: AtomicU64::new(0), looks, runs, http, addresses }
    }

    /// Runs one to its end. Dropping the future kills it.
    ///
    /// # Errors
    /// One clause: why it could not be run, or how it failed.
    pub(crate) async fn run(&self, telling: Telling) -> Result<(), String> {
        let Telling { name, program, arguments, variables, input, timeout, as_user } = telling;
        let mut environment = self.common.clone();
        environment.extend(variables);
        // Each by itself: none waits for another one.
        let resource = format!("{name} #{}", self.count.fetch_add(1, Ordering::Relaxed));
        let path = program.clone();
        let user = if as_user { self.user().await } else { None };
        let action = "tell".to_owned();
        let task = Task { resource, action, program, arguments, environment, folder: None, input, user };
        let ran = match tokio::time::timeout(timeout, self.runs.run(&self.looks, task)).await {
            Err(_) => return Err(format!("it did not end within {}", crate::seconds(timeout))),
            Ok(Err(error)) => return Err(format!("{}: {}", path.display(), words(&error))),
            Ok(Ok(ran)) => ran,
        };
        if ran.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ran.stderr);
        let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let last: String = last.map(|line| format!(": {line}")).unwrap_or_default().chars().take(REASON_MAX).collect();
        Err(match ran.status.code() {
            Some(code) => format!("it ended with exit code {code}{last}"),
            None => format!("it was ended by a signal{last}"),
        })
    }

    /// Posts something.
    ///
    /// # Errors
    /// One clause, without the address: why it could not be posted, or what was answered.
    pub(crate) async fn post(&self, posting: Posting) -> Result<(), String> {
        let made = || crate::cloud::api::client(&self.addresses, true).map_err(|error| error.without_url().to_string());
        let client = self.http.get_or_init(made);
        let Posting { url, headers, body } = posting;
        let mut request = client.as_ref().map_err(Clone::clone)?.post(url).timeout(POST).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut answer = request.send().await.map_err(|error| {
            if error.is_timeout() {
                self.addresses.turn();
            }
            unposted(error)
        })?;
        let status = answer.status();
        // Read, so that the connection can be used again; what is beyond the limit is not.
        let mut read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > ANSWER_MAX {
                break;
            }
        }
        if status.is_success() { Ok(()) } else { Err(format!("the answer was {status}")) }
    }

    /// Numbers of the user and of its group, if this process may become it.
    async fn user(&self) -> Option<(u32, u32)> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let read = || std::fs::read_to_string("/etc/passwd").ok();
        let table = self.looks.look("users", "reading /etc/passwd", read).await.ok().flatten()?;
        user_of(&table, USER)
    }
}

/// What is wrong with the program of an alert on this host, as a clause; `None` if it can be run.
#[must_use]
pub fn cannot_tell(program: &Path) -> Option<String> {
    match std::fs::metadata(program) {
        Err(error) => Some(words(&error)),
        Ok(data) if !data.is_file() => Some("it is no regular file".to_owned()),
        Ok(_) if rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_err() => {
            Some("it may not be executed (chmod +x)".to_owned())
        }
        Ok(_) => None,
    }
}

/// Why nothing was answered. An address may be a secret: none is named.
fn unposted(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return format!("there was no answer within {}", crate::seconds(POST));
    }
    if error.is_builder() {
        return "its address or a header is not well-formed".to_owned();
    }
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if error.is_connect() { format!("there is no connection: {deepest}") } else { deepest.to_string() }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file on this node".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be executed (chmod +x)".to_owned(),
        _ => error.to_string(),
    }
}

fn user_of(table: &str, name: &str) -> Option<(u32, u32)> {
    let row = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut fields = row.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{Agents, testing};

    fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("can be changed");
        path
    }

    fn telling(program: PathBuf, timeout: Duration) -> Telling {
        let variables = BTreeMap::from([("CRM_alert_kind".to_owned(), "node".to_owned())]);
        Telling { name: "alert a".to_owned(), program, variables, timeout, ..Telling::default() }
    }

    #[tokio::test]
    async fn a_program_is_told_by_its_environment_and_its_failure_has_a_reason() {
        let folder = std::env::temp_dir().join(format!("hacd-tell-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("can be made");
        let agents = Agents::new(testing::options(&folder));
        let out = folder.join("out");
        let writes = script(&folder, "writes", &format!("#!/bin/sh\necho $# $CRM_alert_kind > {}\n", out.display()));
        assert_eq!(agents.tell(telling(writes, Duration::from_secs(20))).await, Ok(()));
        assert_eq!(std::fs::read_to_string(&out).expect("was written"), "0 node\n");
        let fails = script(&folder, "fails", "#!/bin/sh\necho no relay >&2\nexit 3\n");
        let why = agents.tell(telling(fails, Duration::from_secs(20))).await;
        assert_eq!(why, Err("it ended with exit code 3: no relay".to_owned()));
        let hangs = script(&folder, "hangs", "#!/bin/sh\nsleep 60\n");
        let why = agents.tell(telling(hangs, Duration::from_millis(200))).await;
        assert_eq!(why, Err("it did not end within 0.2s".to_owned()));
        let why = agents.tell(telling(folder.join("none"), Duration::from_secs(20))).await.expect_err("is not there");
        assert!(why.ends_with("there is no such file on this node"), "{why}");
        assert!(agents.finish(Duration::from_secs(10)), "what was killed has ended");
        std::fs::remove_dir_all(&folder).expect("is there");
    }

    #[test]
    fn a_user_is_found_by_name() {
        let table = "root:x:0:0:root:/root:/bin/bash\nhacluster:x:102:105::/var/lib/pacemaker:/usr/sbin/nologin\n";
        assert_eq!(user_of(table, "hacluster"), Some((102, 105)));
        assert_eq!(user_of(table, "hac"), None);
    }
}
