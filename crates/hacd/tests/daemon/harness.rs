//! Daemons as processes on addresses of 127.0.0.0/8, and talking to them over their sockets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` gives something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: u32, signal: Signal) -> rustix::io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("the number of a process");
    kill_process(pid, signal)
}

/// A cluster of nodes `n1`, `n2`, … on `127.0.NET.1`, …, each with its own directory.
pub(crate) struct Cluster {
    directory: PathBuf,
    net: u8,
    nodes: u8,
    extra: String,
    agents: String,
    records: bool,
}

impl Cluster {
    pub(crate) fn new(net: u8, nodes: u8) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("hacd-daemon-{}-{count}", std::process::id()));
        fs::create_dir(&directory).expect("makes a directory");
        let cluster = Self { directory, net, nodes, extra: String::new(), agents: String::new(), records: false };
        for node in 1..=nodes {
            fs::create_dir(cluster.dir(node)).expect("makes a directory");
            cluster.write_key(node, 7);
            cluster.write_config(node, &cluster.config());
        }
        cluster
    }

    /// The same cluster with a second link on `127.1.NET.X`.
    pub(crate) fn with_two_links(mut self) -> Self {
        self.extra = "[[totem.interface]]\nlinknumber = 1\n".to_owned();
        for node in 1..=self.nodes {
            self.write_config(node, &self.config());
        }
        self
    }

    /// All daemons record what they are given.
    pub(crate) fn with_recordings(mut self) -> Self {
        self.records = true;
        self
    }

    /// Where a daemon records.
    pub(crate) fn recording(&self, node: u8) -> PathBuf {
        self.dir(node).join("flight.rec")
    }

    /// Gives all nodes an agent `ocf:test:Service`: a process that sleeps, with a pid file that they share, and for each
    /// node a list of the actions that were run.
    pub(crate) fn with_service(mut self) -> Self {
        let provider = self.directory.join("ocf/resource.d/test");
        fs::create_dir_all(&provider).expect("makes a directory");
        let script = include_str!("service.sh").replace("DIRECTORY", &self.directory.display().to_string());
        let path = provider.join("Service");
        fs::write(&path, script).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        self.agents = format!("[agents]\nocf_root = \"{}\"\n", self.directory.join("ocf").display());
        for node in 1..=self.nodes {
            self.write_config(node, &self.config());
        }
        self
    }

    /// Gives all nodes a fence agent `fence_recorder` that writes down what it is given, and another one, `fence_fabric`, that
    /// lets nodes in before anything starts there, on these nodes themselves.
    pub(crate) fn with_fence_agent(mut self) -> Self {
        let script = include_str!("fence.sh").replace("DIRECTORY", &self.directory.display().to_string());
        let folder = self.directory.join("fence");
        fs::create_dir_all(&folder).expect("makes a directory");
        let fabric = script.replace("automatic=\"0\"", "automatic=\"1\" on_target=\"1\"");
        for (name, script) in [("fence_recorder", script), ("fence_fabric", fabric)] {
            let path = folder.join(name);
            fs::write(&path, script).expect("writes");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets the mode");
        }
        self.agents.push_str(&format!("fence_agents = \"{}\"\n", folder.display()));
        for node in 1..=self.nodes {
            self.write_config(node, &self.config());
        }
        self
    }

    /// Gives each node a watchdog, of which the test is to see to it that it is there ([`Cluster::watchdog_path`]).
    pub(crate) fn with_watchdogs(mut self) -> Self {
        // Each node's own log stands for this path, and so its device is beside it.
        let path = self.directory.join("LOG.watchdog");
        self.agents.push_str(&format!("[watchdog]\ndevice = \"{}\"\ntimeout = 5000\nstop = 4000\n", path.display()));
        for node in 1..=self.nodes {
            self.write_config(node, &self.config());
        }
        self
    }

    /// Where a node's watchdog is.
    pub(crate) fn watchdog_path(&self, node: u8) -> PathBuf {
        self.dir(node).join("hacd.log.watchdog")
    }

    /// A file of the tests' own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What the fence agent was given so far.
    pub(crate) fn fence_log(&self) -> String {
        fs::read_to_string(self.path("fence.log")).unwrap_or_default()
    }

    /// The fence agent waits when it is told to do something to a node.
    pub(crate) fn hold_fencing(&self) {
        fs::write(self.path("fence.hold"), "").expect("writes");
    }

    /// It goes on.
    pub(crate) fn release_fencing(&self) {
        fs::remove_file(self.path("fence.hold")).expect("removes");
    }

    /// The process of the service, if it runs.
    pub(crate) fn service(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.pidfile()).ok()?.trim().parse().ok()?;
        // A process that has ended may wait for its parent to take note.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (!stat.contains(") Z ")).then_some(pid)
    }

    fn pidfile(&self) -> PathBuf {
        self.directory.join("service.pid")
    }

    /// Makes the start of the service take three seconds. An action `started` is listed when it is done.
    pub(crate) fn slow_down(&self) {
        fs::write(self.directory.join("slow"), "").expect("writes");
    }

    /// How often an action of the service was run on a node.
    pub(crate) fn count(&self, node: u8, action: &str) -> usize {
        let actions = fs::read_to_string(self.directory.join(format!("n{node}.actions"))).unwrap_or_default();
        actions.lines().filter(|line| *line == action).count()
    }

    pub(crate) fn dir(&self, node: u8) -> PathBuf {
        self.directory.join(format!("n{node}"))
    }

    pub(crate) fn address(&self, node: u8) -> String {
        format!("127.0.{}.{node}", self.net)
    }

    pub(crate) fn config(&self) -> String {
        let mut text = format!("[totem]\ncluster_name = \"net{}\"\n{}", self.net, self.extra);
        if self.nodes == 2 {
            text.push_str("[quorum]\ntwo_node = 1\n");
        }
        for node in 1..=self.nodes {
            let address = self.address(node);
            text.push_str(&format!(
                "[[nodelist.node]]\nring0_addr = \"{address}\"\nname = \"n{node}\"\nnodeid = {node}\n"
            ));
            if !self.extra.is_empty() {
                text.push_str(&format!("ring1_addr = \"127.1.{}.{node}\"\n", self.net));
            }
        }
        let log = self.directory.join("LOG");
        text.push_str(&format!("[logging]\nto_syslog = no\nto_logfile = yes\nlogfile = \"{}\"\n", log.display()));
        text.push_str(&self.agents);
        // No test resets its host.
        text.push_str(&format!("[system]\nsysrq_trigger = \"{}\"\n", self.path("sysrq").display()));
        text.replace("= no\n", "= \"no\"\n").replace("= yes\n", "= \"yes\"\n")
    }

    /// Each node has its own log although the configuration is the same.
    pub(crate) fn write_config(&self, node: u8, text: &str) {
        let log = self.directory.join("LOG").display().to_string();
        let text = text.replace(&log, &self.log_path(node).display().to_string());
        fs::write(self.dir(node).join("hacd.toml"), text).expect("writes");
    }

    pub(crate) fn write_key(&self, node: u8, byte: u8) {
        let path = self.dir(node).join("authkey");
        let _ = fs::remove_file(&path);
        fs::write(&path, [byte; 128]).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("sets the mode");
    }

    pub(crate) fn log_path(&self, node: u8) -> PathBuf {
        self.dir(node).join("hacd.log")
    }

    pub(crate) fn log(&self, node: u8) -> String {
        fs::read_to_string(self.log_path(node)).unwrap_or_default()
    }

    fn command(&self, node: u8) -> Command {
        let dir = self.dir(node);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hacd"));
        command.arg("--config").arg(dir.join("hacd.toml")).arg("--state").arg(dir.join("state"));
        command.arg("--socket").arg(dir.join("sock")).arg("--node").arg(format!("n{node}"));
        if self.records {
            command.arg("--record").arg(self.recording(node));
        }
        command.stdin(Stdio::null());
        command
    }

    /// Starts a daemon and waits until it answers.
    pub(crate) fn start(&self, node: u8) -> Daemon {
        let child = self.command(node).stderr(Stdio::null()).spawn().expect("starts");
        let daemon = Daemon { child, socket: self.dir(node).join("sock") };
        wait_for("an answer", || daemon.get("/v1/members"));
        daemon
    }

    /// Starts both daemons of a pair and waits until they are members together.
    pub(crate) fn start_both(&self) -> (Daemon, Daemon) {
        let (one, two) = (self.start(1), self.start(2));
        one.await_members(&["n1", "n2"]);
        two.await_members(&["n1", "n2"]);
        (one, two)
    }

    /// Runs a daemon that is expected to end by itself.
    pub(crate) fn fail(&self, node: u8) -> (Option<i32>, String) {
        let Output { status, stderr, .. } = self.command(node).output().expect("runs");
        (status.code(), String::from_utf8_lossy(&stderr).into_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(pid) = self.service() {
            // It may have ended by itself.
            let _ = send(pid, Signal::KILL);
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("is killed");
        self.child.wait().expect("is reaped");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal).expect("is sent");
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        wait_for("the daemon's end", || self.child.try_wait().expect("waits"))
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: hacd\r\nConnection: close\r\n\r\n"))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: hacd\r\nConnection: close\r\n");
        let request = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        self.exchange(&request).expect("answers")
    }

    fn exchange(&self, request: &str) -> Option<Value> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    /// Names of the members, as this daemon sees them.
    pub(crate) fn members(&self) -> Vec<String> {
        let members = self.get("/v1/members").unwrap_or_default();
        let nodes = members["nodes"].as_array().cloned().unwrap_or_default();
        let joined = nodes.iter().filter(|node| node["state"] == "joined");
        joined.filter_map(|node| node["name"].as_str().map(str::to_owned)).collect()
    }

    /// Waits until this node takes part in a membership of exactly these nodes.
    pub(crate) fn await_members(&self, names: &[&str]) {
        wait_for(&format!("the members {names:?}"), || {
            let status = self.get("/v1/status")?;
            (status["sync"] == "active" && self.members() == names).then_some(())
        });
    }

    /// A cluster property.
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        let cib = self.get("/v1/cib")?;
        let pairs = cib["cib"]["configuration"]["crm_config"][0]["pairs"].as_array()?.clone();
        let pair = pairs.iter().find(|pair| pair["name"] == name)?;
        pair["value"].as_str().map(str::to_owned)
    }

    /// Waits until nothing is in progress.
    pub(crate) fn settle(&self) {
        let answer = self.post("/v1/settle", &json!({"timeout_ms": 20_000}));
        assert_eq!(answer["settled"], true, "{answer}");
    }

    /// Makes changes; they must be accepted.
    pub(crate) fn configure(&self, changes: &Value) {
        let answer = self.post("/v1/configure", &json!({"changes": changes, "client": "test"}));
        assert!(answer["version"].is_object(), "{answer}");
    }

    /// Makes the service of [`Cluster::with_service`] a resource whose monitor runs once a minute.
    pub(crate) fn run_service(&self, cluster: &Cluster) {
        self.set_property("stonith-enabled", "false");
        self.set_property("no-quorum-policy", "ignore");
        let pair = json!({"id": "", "id_ref": null, "name": "pidfile", "value": cluster.pidfile()});
        let params = json!({"id": "", "id_ref": null, "score": null, "rule": null, "pairs": [pair]});
        let monitor = json!({"id": "", "id_ref": null, "name": "monitor", "interval": "60s", "options": {}, "meta": [],
            "params": []});
        let primitive = json!({"id": "S", "agent": {"class": "ocf", "provider": "test", "kind": "Service"},
            "template": null, "description": null, "params": [params], "meta": [], "utilization": [],
            "operations": [monitor], "operations_id": null, "operations_id_ref": null, "attributes": {}});
        self.configure(&json!([{"Put": {"object": {"Primitive": primitive}, "mode": "Create"}}]));
    }

    /// Sets a cluster property; gives the answer.
    pub(crate) fn set_property(&self, name: &str, value: &str) -> Value {
        let change = json!({"SetProperties": {"section": "CrmConfig", "set": null, "pairs": [[name, value]]}});
        self.post("/v1/configure", &json!({"changes": [change], "client": "test"}))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The UDP sockets of a process as `ADDRESS:PORT`.
pub(crate) fn udp_sockets(pid: u32) -> Vec<(String, u16)> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).expect("is there");
    let inodes: Vec<String> = links
        .filter_map(|link| {
            let target = fs::read_link(link.ok()?.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            Some(inode)
        })
        .collect();
    let mut sockets = Vec::new();
    for table in ["udp", "udp6"] {
        let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("net").join(table));
        for line in text.unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            if inodes.iter().any(|inode| fields.get(9) == Some(&inode.as_str())) {
                let (address, port) = fields[1].split_once(':').expect("an address");
                sockets.push((address.to_owned(), u16::from_str_radix(port, 16).expect("a port")));
            }
        }
    }
    sockets
}
