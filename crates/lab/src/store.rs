//! A store for the third vote, reached by all hosts of a lab: etcd where it is installed, or a stand-in that knows the three calls
//! of its JSON gateway that are used.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::netns::spawn_in;
use crate::plan::CLOUD;
use crate::run::wait_for;
use crate::{Error, Lab, request};

/// Where clients are served.
const PORT: u16 = 2379;
/// Where members of the store would talk to each other.
const PEERS: u16 = 2380;
/// How long the store may take to start.
const LIMIT: Duration = Duration::from_secs(20);

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The program of the distribution.
    Etcd,
    /// What stands in for it.
    StandIn,
}

/// A store that runs until this is dropped.
pub struct Store {
    namespace: String,
    directory: PathBuf,
    /// Counts the data directories: a restored store has one of its own.
    lives: u32,
    running: Running,
}

enum Running {
    Not,
    Etcd(Child),
    StandIn(StandIn),
}

/// The one key, its value and when it was changed.
type Key = (String, String, u64);

/// What the stand-in has.
#[derive(Debug, Clone)]
struct World {
    id: u64,
    revision: u64,
    there: Option<Key>,
    frozen: bool,
    saved: Option<(u64, Option<Key>)>,
}

struct StandIn {
    world: Arc<Mutex<World>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Store {
    /// Starts one beside the hosts of a lab.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub fn start(lab: &Lab, kind: Kind) -> Result<Self, Error> {
        let namespace = lab.plan().cloud_namespace();
        let directory = lab.directory().join("store");
        std::fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        let mut store = Self { namespace, directory, lives: 1, running: Running::Not };
        match kind {
            Kind::Etcd => store.spawn()?,
            Kind::StandIn => {
                let world = World { id: 7, revision: 1, there: None, frozen: false, saved: None };
                store.running = Running::StandIn(StandIn::start(&store.namespace, Arc::new(Mutex::new(world)))?);
            }
        }
        store.wait()?;
        Ok(store)
    }

    /// Its URL, as the hosts have it.
    #[must_use]
    pub fn url() -> String {
        format!("http://{CLOUD}:{PORT}")
    }

    /// It ends at once.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self) -> Result<(), Error> {
        match &mut self.running {
            Running::Etcd(child) => {
                child.kill().map_err(Error::system("etcd cannot be killed"))?;
                child.wait().map_err(Error::system("etcd does not end"))?;
            }
            Running::StandIn(stand_in) => stand_in.end(),
            Running::Not => return Err(Error::Invalid("the store does not run".to_owned())),
        }
        Ok(())
    }

    /// It starts again with what it had.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub fn start_again(&mut self) -> Result<(), Error> {
        match &self.running {
            Running::StandIn(stand_in) => {
                let world = Arc::clone(&stand_in.world);
                self.running = Running::StandIn(StandIn::start(&self.namespace, world)?);
            }
            Running::Etcd(_) | Running::Not => self.spawn()?,
        }
        self.wait()
    }

    /// It stands still (`true`), or goes on.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self, frozen: bool) -> Result<(), Error> {
        match &self.running {
            Running::Etcd(child) => {
                let signal = if frozen { Signal::STOP } else { Signal::CONT };
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let pid = pid.ok_or_else(|| Error::Invalid("etcd has no process id".to_owned()))?;
                kill_process(pid, signal).map_err(|error| Error::system("etcd cannot be signalled")(error.into()))
            }
            Running::StandIn(stand_in) => {
                stand_in.world().frozen = frozen;
                Ok(())
            }
            Running::Not => Err(Error::Invalid("the store does not run".to_owned())),
        }
    }

    /// Keeps what it has now for [`Store::restore`].
    ///
    /// # Errors
    /// etcdctl fails.
    pub fn save(&self) -> Result<(), Error> {
        match &self.running {
            Running::StandIn(stand_in) => {
                let mut world = stand_in.world();
                world.saved = Some((world.revision, world.there.clone()));
                Ok(())
            }
            Running::Etcd(_) | Running::Not => {
                let file = self.directory.join("saved.db");
                let url = format!("--endpoints={}", Self::url());
                self.etcdctl(vec![url, "snapshot".into(), "save".into(), file.display().to_string()])
            }
        }
    }

    /// Takes its place with what was kept, as a store of its own, as etcd's manual says.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub fn restore(&mut self) -> Result<(), Error> {
        if let Running::StandIn(stand_in) = &self.running {
            let mut world = stand_in.world();
            let (revision, there) = world.saved.clone().unwrap_or((1, None));
            *world = World { id: world.id + 1, revision, there, ..world.clone() };
            return Ok(());
        }
        self.kill()?;
        self.lives += 1;
        let (file, data) = (self.directory.join("saved.db"), self.data());
        let mut words = vec!["snapshot".to_owned(), "restore".to_owned(), file.display().to_string()];
        words.push(format!("--data-dir={}", data.display()));
        words.extend(["--name=third".to_owned(), self.token(), Self::peers("initial-advertise-peer-urls", false)]);
        words.push(Self::peers("initial-cluster", true));
        self.etcdctl(words)?;
        self.spawn()?;
        self.wait()
    }

    /// The register of the only cluster, as text; nothing if there is none.
    ///
    /// # Errors
    /// It does not answer.
    pub fn register(&self) -> Result<Value, Error> {
        // All keys: from the first on.
        self.call("/v3/kv/range", &json!({ "key": "AA==", "range_end": "AA==" }))
    }

    fn data(&self) -> PathBuf {
        self.directory.join(format!("data{}", self.lives))
    }

    fn token(&self) -> String {
        format!("--initial-cluster-token=life{}", self.lives)
    }

    fn peers(option: &str, named: bool) -> String {
        let name = if named { "third=" } else { "" };
        format!("--{option}={name}http://{CLOUD}:{PEERS}")
    }

    fn spawn(&mut self) -> Result<(), Error> {
        let log = self.directory.join("log");
        let out = std::fs::File::options().create(true).append(true).open(&log).map_err(Error::file(&log))?;
        let mut command = Command::new("etcd");
        command.arg("--name=third").arg(format!("--data-dir={}", self.data().display())).arg(self.token());
        command.arg(format!("--listen-client-urls={}", Self::url()));
        command.arg(format!("--advertise-client-urls={}", Self::url()));
        command.arg(Self::peers("listen-peer-urls", false)).arg(Self::peers("initial-advertise-peer-urls", false));
        command.arg(Self::peers("initial-cluster", true));
        let again = out.try_clone().map_err(Error::file(&log))?;
        command.stdin(Stdio::null()).stdout(out).stderr(again);
        let child = spawn_in(Some(self.namespace.clone()), "etcd", move || command.spawn())?.join();
        let child = child.map_err(|_| Error::Invalid("the thread that starts etcd panicked".to_owned()))?;
        self.running = Running::Etcd(child.map_err(Error::system("etcd cannot be started"))?);
        Ok(())
    }

    fn etcdctl(&self, words: Vec<String>) -> Result<(), Error> {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(words).stdin(Stdio::null());
        let done = spawn_in(Some(self.namespace.clone()), "etcdctl", move || command.output())?.join();
        let done = done.map_err(|_| Error::Invalid("the thread that runs etcdctl panicked".to_owned()))?;
        let done = done.map_err(Error::system("etcdctl cannot be run"))?;
        if done.status.success() {
            return Ok(());
        }
        Err(Error::Invalid(format!("etcdctl: {}", String::from_utf8_lossy(&done.stderr).trim())))
    }

    fn call(&self, path: &'static str, body: &Value) -> Result<Value, Error> {
        let body = body.to_string();
        let ask = move || {
            let answer = request((CLOUD, PORT).into(), "POST", path, None, &body, Duration::from_secs(1));
            answer.map(|answer| answer.json()).map_err(std::io::Error::other)
        };
        let answer = spawn_in(Some(self.namespace.clone()), "ask the store", ask)?.join();
        let answer = answer.map_err(|_| Error::Invalid("the request panicked".to_owned()))?;
        answer.map_err(Error::system("the store does not answer"))
    }

    fn wait(&self) -> Result<(), Error> {
        wait_for("the store answers", LIMIT, || self.register().ok().filter(|answer| answer["header"].is_object()))?;
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl StandIn {
    fn start(namespace: &str, world: Arc<Mutex<World>>) -> Result<Self, Error> {
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&world);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::bind((CLOUD, PORT)).await?;
                let app = Router::new().fallback(answer).with_state(served);
                tokio::spawn(async { axum::serve(listener, app).await });
                // Told to stop, or gone without a word: the end either way.
                let _ = stopped.await;
                Ok(())
            })
        };
        let thread = spawn_in(Some(namespace.to_owned()), "store", serve)?;
        Ok(Self { world, stop: Some(stop), thread: Some(thread) })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One request to the stand-in.
async fn answer(State(world): State<Arc<Mutex<World>>>, uri: Uri, body: Bytes) -> Result<String, StatusCode> {
    let frozen = || world.lock().unwrap_or_else(PoisonError::into_inner).frozen;
    while frozen() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    let value = match uri.path() {
        "/v3/kv/range" => world.range(&asked),
        "/v3/kv/txn" => world.swap(&asked).ok_or(StatusCode::BAD_REQUEST)?,
        _ => return Err(StatusCode::NOT_FOUND),
    };
    Ok(value.to_string())
}

impl World {
    fn header(&self) -> Value {
        json!({ "cluster_id": self.id.to_string(), "revision": self.revision.to_string() })
    }

    fn range(&self, asked: &Value) -> Value {
        let there = self.there.as_ref().filter(|(key, ..)| asked["range_end"].is_string() || asked["key"] == *key);
        match there {
            None => json!({ "header": self.header() }),
            Some((key, value, changed)) => {
                let kv = json!({ "key": key, "value": value, "mod_revision": changed.to_string() });
                json!({ "header": self.header(), "kvs": [kv], "count": "1" })
            }
        }
    }

    fn swap(&mut self, asked: &Value) -> Option<Value> {
        let compare = asked["compare"].get(0)?;
        let key = compare["key"].as_str()?;
        let there = self.there.as_ref().filter(|(known, ..)| known == key).map_or(0, |(.., changed)| *changed);
        let there = there.to_string();
        if compare["target"] != "MOD" || compare["mod_revision"].as_str() != Some(&there) {
            let range = self.range(&json!({ "key": key }));
            return Some(json!({ "header": self.header(), "responses": [{ "response_range": range }] }));
        }
        let value = asked["success"].get(0)?["request_put"]["value"].as_str()?;
        self.revision += 1;
        self.there = Some((key.to_owned(), value.to_owned(), self.revision));
        Some(json!({ "header": self.header(), "succeeded": true, "responses": [{ "response_put": {} }] }))
    }
}
