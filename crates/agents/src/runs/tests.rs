//! With real processes of the shell.

use std::fs;
use std::path::Path;

use hac_model::ProcessRef;
use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::look::Looks;
use crate::watch;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hacd-run-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    fn runs(&self) -> Arc<Runs> {
        Arc::new(Runs::new(self.0.join("runs")))
    }

    fn records(&self) -> usize {
        record::all(&self.0.join("runs")).len()
    }

    fn forget(&self, record: &Record) {
        fs::remove_file(self.0.join(format!("runs/{}.run", record.id))).expect("was there");
    }

    /// The process whose number a script wrote to a file.
    fn process(&self, name: &str) -> ProcessRef {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let pid = fs::read_to_string(self.0.join(name)).ok().and_then(|text| text.trim().parse().ok());
            if let Some(process) = pid.and_then(watch::find) {
                return process;
            }
            assert!(Instant::now() < end, "no process wrote {name}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn task(folder: &Path, script: &str) -> Task {
    Task {
        resource: "R".into(),
        action: "start".into(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.replace("DIR", &folder.display().to_string())],
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        folder: None,
        input: None,
        user: None,
    }
}

async fn run(folder: &Folder, script: &str) -> Ran {
    let runs = folder.runs();
    assert!(runs.take_over().is_empty());
    let ran = runs.run(&Arc::default(), task(&folder.0, script)).await.expect("ran");
    noted(&runs).await;
    ran
}

/// Waits until the end of all runs is noted.
async fn noted(runs: &Runs) {
    let end = Instant::now() + Duration::from_secs(10);
    while runs.live.load(Ordering::SeqCst) > 0 {
        assert!(Instant::now() < end, "the end of a run is never noted");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn alive(process: ProcessRef) -> bool {
    watch::find(process.pid) == Some(process)
}

fn kill(process: ProcessRef) {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).expect("a number");
    kill_process(pid, Signal::KILL).expect("ended by this test");
}

#[tokio::test]
async fn output_and_exit_code_come_back_and_no_record_is_left() {
    let folder = Folder::new("output");
    let ran = run(&folder, "ls DIR/runs | grep -c run$; echo err >&2; exit 7").await;
    assert_eq!((ran.status.code(), &ran.stdout[..], &ran.stderr[..]), (Some(7), &b"1\n"[..], &b"err\n"[..]));
    assert_eq!(folder.records(), 0);
}

#[tokio::test]
async fn a_service_that_keeps_the_pipe_is_left_alive_and_does_not_keep_us() {
    let folder = Folder::new("pipe");
    let begin = Instant::now();
    run(&folder, "sleep 5 & echo $! > DIR/pid").await;
    assert!(begin.elapsed() < Duration::from_secs(4));
    let service = folder.process("pid");
    // Another life of the daemon leaves it alone as well.
    assert!(folder.runs().take_over().is_empty());
    assert!(alive(service));
    kill(service);
}

#[tokio::test]
async fn what_is_given_up_ends_with_its_children_and_those_that_left_the_group() {
    let folder = Folder::new("children");
    let runs = folder.runs();
    runs.take_over();
    let looks = Arc::<Looks>::default();
    let script = "trap '' TERM; sleep 60 & echo $! > DIR/child; setsid sh -c 'echo $$ > DIR/left; sleep 60' & \
                  setsid env -i /bin/sh -c 'echo $$ > DIR/bare; /bin/sleep 60; :' & wait";
    let given_up = tokio::time::timeout(Duration::from_millis(900), runs.run(&looks, task(&folder.0, script))).await;
    assert!(given_up.is_err());
    let left = ["child", "left", "bare"].map(|name| fs::read_to_string(folder.0.join(name)).expect("written"));
    let left = left.map(|pid| pid.trim().parse::<u32>().expect("a number"));
    tokio::time::timeout(Duration::from_secs(10), runs.alone("R")).await.expect("it ends");
    assert_eq!(left.map(watch::find), [None; 3]);
    assert_eq!(folder.records(), 0);
}

#[tokio::test]
async fn the_beginning_of_the_output_and_the_end_of_the_errors_are_kept() {
    let folder = Folder::new("flood");
    let ran = run(&folder, "head -c 12000000 /dev/zero; head -c 9000000 /dev/zero >&2; echo done >&2").await;
    assert!(ran.stdout.len() <= 4 << 20 && ran.stderr.len() <= 128 << 10);
    assert!(ran.stderr.ends_with(b"done\n"));
}

#[tokio::test]
async fn what_closes_its_outputs_is_waited_for_and_can_be_given_up() {
    let folder = Folder::new("silent");
    let ran = run(&folder, "echo said; exec >&- 2>&-; sleep 0.3; exit 7").await;
    assert_eq!((ran.status.code(), &ran.stdout[..]), (Some(7), &b"said\n"[..]));
    let (runs, looks) = (folder.runs(), Arc::default());
    let script = "echo $$ > DIR/leader; exec >&- 2>&-; exec sleep 60";
    let begin = Instant::now();
    let given_up = tokio::time::timeout(Duration::from_millis(500), runs.run(&looks, task(&folder.0, script))).await;
    assert!(given_up.is_err());
    let leader = fs::read_to_string(folder.0.join("leader")).expect("it began").trim().parse().expect("a number");
    tokio::time::timeout(Duration::from_secs(10), runs.alone("R")).await.expect("it ends");
    assert_eq!(watch::find(leader), None);
    let next = runs.run(&looks, task(&folder.0, "exit 3")).await.expect("its turn comes");
    assert_eq!(next.status.code(), Some(3));
    assert!(begin.elapsed() < Duration::from_secs(20), "the thread of what was given up was waited for");
    noted(&runs).await;
    assert_eq!(folder.records(), 0);
}

/// Plays an earlier life of the daemon that died amid a run: its record and its processes are there, it is not.
fn orphan(folder: &Folder, script: &str) -> (Record, std::process::Child) {
    use std::os::unix::process::CommandExt as _;
    // Tests that run beside this one must not find its processes.
    let id = format!("{}-0", folder.0.file_name().and_then(|name| name.to_str()).expect("a name"));
    let child = std::process::Command::new("/bin/sh")
        .args(["-c", &script.replace("DIR", &folder.0.display().to_string())])
        .env(MARK, &id)
        .process_group(0)
        .spawn()
        .expect("started");
    let leader = members::process(child.id());
    let record = Record { leader, ..begun(folder, &id) };
    write(folder, &record);
    (record, child)
}

/// A run that was about to begin when the daemon died.
fn begun(folder: &Folder, id: &str) -> Record {
    fs::create_dir_all(folder.0.join("runs")).expect("made");
    let (resource, action) = ("R".into(), "start".into());
    Record { id: id.to_owned(), resource, action, boot: record::boot(), leader: None, cgroup: None }
}

fn write(folder: &Folder, record: &Record) {
    let mut slot = Slot::new(&folder.0.join("runs"), &record.id).expect("made");
    slot.write(record).expect("written");
    if let Some(leader) = record.leader {
        slot.lead(leader).expect("added");
    }
}

#[test]
fn the_end_waits_for_what_the_end_of_the_runtime_gives_up() {
    let folder = Folder::new("end");
    let runs = folder.runs();
    runs.take_over();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (owner, task) = (Arc::clone(&runs), task(&folder.0, "echo $$ > DIR/pid; sleep 60; :"));
    runtime.spawn(async move { owner.run(&Arc::default(), task).await.map(|ran| ran.status) });
    let process = folder.process("pid");
    assert!(!runs.wait(Duration::from_millis(50)), "it is under way");
    runtime.shutdown_background();
    assert!(runs.wait(Duration::from_secs(10)), "it has ended");
    assert!(!alive(process));
}

#[test]
fn a_run_of_an_earlier_life_is_ended_wherever_its_processes_went() {
    let folder = Folder::new("earlier");
    let (_, mut child) = orphan(
        &folder,
        "trap '' TERM; setsid sh -c 'echo $$ > DIR/left; sleep 60' & sleep 60 & echo $! > DIR/child; wait",
    );
    let left = [folder.process("left"), folder.process("child")];
    let reaper = std::thread::spawn(move || child.wait());
    let remarks = folder.runs().take_over();
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert!(remarks[0].starts_with("start of R (process "), "{remarks:?}");
    assert_eq!(left.map(alive), [false, false]);
    assert_eq!(folder.records(), 0);
    reaper.join().expect("no panic").expect("waited for");
}

#[test]
fn a_run_that_is_over_an_earlier_kernel_and_another_process_of_the_number_are_left_alone() {
    let folder = Folder::new("over");
    // The action is over, its service is not.
    let (record, mut child) = orphan(&folder, "setsid sh -c 'echo $$ > DIR/service; sleep 60' & exit 0");
    let service = folder.process("service");
    child.wait().expect("over");
    assert!(folder.runs().take_over().is_empty());
    assert_eq!(folder.records(), 0);
    // This process has the number, but it began at another time; or all was before the last boot.
    let own = watch::find(std::process::id()).expect("this test runs");
    let other = ProcessRef { started: own.started + 1, ..own };
    let before = Record { boot: "earlier".into(), leader: Some(own), ..record.clone() };
    for record in [Record { leader: Some(other), ..record }, before] {
        write(&folder, &record);
        assert!(folder.runs().take_over().is_empty());
    }
    assert!(alive(service));
    kill(service);
}

#[test]
fn a_run_whose_first_process_nobody_wrote_down_is_found_by_its_mark() {
    let folder = Folder::new("marked");
    let script =
        "trap '' TERM; setsid env -i /bin/sh -c 'echo $$ > DIR/bare; /bin/sleep 60; :' & echo $$ > DIR/first; wait";
    let (record, mut child) = orphan(&folder, script);
    let left = [folder.process("first"), folder.process("bare")];
    folder.forget(&record);
    write(&folder, &Record { leader: None, ..record });
    let reaper = std::thread::spawn(move || child.wait());
    let remarks = folder.runs().take_over();
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert_eq!(left.map(alive), [false, false], "what it started was found through it");
    assert_eq!(folder.records(), 0);
    reaper.join().expect("no panic").expect("waited for");
    // A run that never began leaves nothing to be ended.
    write(&folder, &begun(&folder, "earlier-1"));
    assert!(folder.runs().take_over().is_empty());
    assert_eq!(folder.records(), 0);
}

#[test]
fn what_may_be_on_its_way_to_its_program_is_waited_for() {
    let folder = Folder::new("way");
    write(&folder, &begun(&folder, "earlier-0"));
    // As a process that has not become its program yet: it has a share in the lock, and no mark.
    let life = life::begin(&folder.0.join("runs"), "earlier").expect("locked");
    let mut child = std::process::Command::new("/bin/sleep").arg("60").stdin(life).spawn().expect("started");
    let runs = folder.runs();
    let next = std::thread::spawn({
        let runs = Arc::clone(&runs);
        move || runs.take_over()
    });
    std::thread::sleep(Duration::from_millis(100));
    assert!(!next.is_finished());
    assert_eq!(runs.unfinished("R").as_deref(), Some("start of R"));
    child.kill().expect("ended by this test");
    child.wait().expect("over");
    let remarks = next.join().expect("no panic");
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert_eq!((folder.records(), runs.unfinished("R")), (0, None));
    assert!(folder.runs().take_over().is_empty());
    assert_eq!(fs::read_dir(folder.0.join("runs")).expect("is there").count(), 0, "the life is over");
}

#[test]
fn when_a_child_began_is_known_without_asking() {
    for _ in 0..200 {
        let before = members::ticks();
        let mut child = std::process::Command::new("/bin/true").spawn().expect("started");
        assert_eq!(members::begun(child.id(), before), members::process(child.id()));
        child.wait().expect("over");
    }
}

#[tokio::test]
async fn a_life_lasts_until_its_daemon_ends_and_is_no_others() {
    let folder = Folder::new("life");
    let runs = folder.runs();
    runs.take_over();
    runs.run(&Arc::default(), task(&folder.0, ":")).await.expect("ran");
    assert!(life::is_held(&folder.0.join("runs"), &runs.life));
    let life = runs.life.clone();
    noted(&runs).await;
    drop(runs);
    assert!(!life::is_held(&folder.0.join("runs"), &life), "what ran has not kept it");
}

#[tokio::test]
async fn the_protection_of_the_daemon_is_given_up() {
    let folder = Folder::new("protection");
    // Anybody may make himself less protected.
    fs::write("/proc/self/oom_score_adj", "7").expect("written");
    let ran = run(&folder, "sleep 0.1; cat /proc/self/oom_score_adj").await;
    assert_eq!(ran.stdout, b"0\n");
}

#[test]
fn a_record_of_an_earlier_release_is_read() {
    let folder = Folder::new("format");
    let record = Record { leader: Some(ProcessRef { pid: 7, started: 9 }), ..begun(&folder, "earlier-0") };
    let text = serde_json::json!({"resource": "R", "action": "start", "boot": record.boot, "pid": 7, "started": 9});
    fs::write(folder.0.join("runs/earlier-0.run"), text.to_string()).expect("written");
    fs::write(folder.0.join("runs/cut.run"), r#"{"resource": "R", "act"#).expect("written");
    let found = |folder: &Folder| -> Vec<Record> {
        record::all(&folder.0.join("runs")).into_iter().map(|(_, record)| record).collect()
    };
    assert_eq!(found(&folder), std::slice::from_ref(&record));
    folder.forget(&record);
    write(&folder, &record);
    assert_eq!(found(&folder), std::slice::from_ref(&record));
    record::tidy(&folder.0.join("runs"));
    assert_eq!(fs::read_dir(folder.0.join("runs")).expect("is there").count(), 1, "what is no record is removed");
}

#[test]
fn what_was_in_the_file_before_is_no_part_of_a_record() {
    let folder = Folder::new("slot");
    let all = || -> Vec<Record> { record::all(&folder.0.join("runs")).into_iter().map(|(_, record)| record).collect() };
    let leader = ProcessRef { pid: 7, started: 9 };
    let long = Record { leader: Some(leader), resource: "R".repeat(3000), ..begun(&folder, "life-0") };
    let short = begun(&folder, "life-1");
    let mut slot = Slot::new(&folder.0.join("runs"), &long.id).expect("made");
    slot.write(&long).expect("written");
    slot.lead(leader).expect("added");
    assert_eq!(all(), std::slice::from_ref(&long));
    slot.clear().expect("cleared");
    assert_eq!(all(), []);
    slot.write(&short).expect("written");
    assert_eq!(all(), std::slice::from_ref(&short), "its process is not that of the one before");
    slot.lead(leader).expect("added");
    assert_eq!(all(), [Record { leader: Some(leader), ..short }]);
}

#[tokio::test]
async fn a_folder_that_was_removed_is_noticed() {
    let folder = Folder::new("removed");
    let runs = folder.runs();
    runs.take_over();
    for _ in 0..2 {
        let ran = runs.run(&Arc::default(), task(&folder.0, "ls DIR/runs/*.run | wc -l")).await.expect("ran");
        assert_eq!(ran.stdout, b"1\n", "the run is recorded");
        noted(&runs).await;
        fs::remove_dir_all(folder.0.join("runs")).expect("removed");
        fs::create_dir_all(folder.0.join("runs")).expect("made");
    }
}

#[tokio::test]
async fn nothing_runs_beside_what_cannot_be_ended() {
    let folder = Folder::new("stuck");
    let runs = folder.runs();
    let record = Record {
        id: "stuck".into(),
        resource: "R".into(),
        action: "start".into(),
        boot: record::boot(),
        leader: watch::find(std::process::id()),
        cgroup: None,
    };
    lock(&runs.unfinished).insert(record.id.clone(), record);
    assert!(tokio::time::timeout(Duration::from_millis(50), runs.alone("R")).await.is_err());
    assert!(runs.unfinished("R").is_some_and(|words| words.starts_with("start of R (process ")));
    runs.alone("S").await;
    lock(&runs.unfinished).clear();
    runs.alone("R").await;
}

/// A control group that is removed at the end, with what is below it.
struct Group(PathBuf);

impl Group {
    /// `None`, said aloud, where this user may make none.
    fn new(name: &str) -> Option<Self> {
        let path = cgroup::own()?.join(format!("hacd-test-{name}-{}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                eprintln!("not tested: {} cannot be made: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for path in ["runs", "resources/r-R", "resources", ""] {
            let _ = fs::remove_dir(self.0.join(path));
        }
    }
}

#[tokio::test]
async fn in_control_groups_a_service_moves_to_its_resource_and_what_is_given_up_ends() {
    let Some(group) = Group::new("runs") else { return };
    let folder = Folder::new("groups");
    let mut runs = Runs::new(folder.0.join("runs"));
    runs.cgroups = Cgroups::below(group.0.clone());
    let runs = Arc::new(runs);
    runs.take_over();
    let looks = Arc::<Looks>::default();
    let script = "cat /proc/self/cgroup; setsid sleep 60 >/dev/null 2>&1 & echo $! > DIR/service";
    let ran = runs.run(&looks, task(&folder.0, script)).await.expect("ran");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("/runs/"), "{ran:?}");
    noted(&runs).await;
    let service = folder.process("service");
    assert_eq!(cgroup::pids(&group.0.join("resources/r-R")), Some(vec![service.pid]));
    // One that is given up, with a child that hides its mark and its group.
    let script = "setsid env -i /bin/sh -c 'echo $$ > DIR/left; sleep 60; :' & wait";
    let given_up = tokio::time::timeout(Duration::from_millis(700), runs.run(&looks, task(&folder.0, script))).await;
    assert!(given_up.is_err());
    tokio::time::timeout(Duration::from_secs(10), runs.alone("R")).await.expect("it ends");
    let left = fs::read_to_string(folder.0.join("left")).expect("written").trim().parse().expect("a number");
    assert_eq!(watch::find(left), None);
    assert!(alive(service), "another run's");
    assert_eq!(
        fs::read_dir(group.0.join("runs"))
            .expect("is there")
            .filter(|e| e.as_ref().is_ok_and(|e| e.path().is_dir()))
            .count(),
        0
    );
    kill(service);
    while watch::find(service.pid) == Some(service) {
        std::thread::sleep(Duration::from_millis(10));
    }
}
