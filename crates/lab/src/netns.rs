//! Network namespaces: made and removed with iproute2, entered by single threads.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread::{self, JoinHandle};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Error;
use crate::run::run;

/// Where iproute2 keeps the names of namespaces.
const DIRECTORY: &str = "/run/netns";

/// Makes an empty network namespace whose loopback interface is up.
pub(crate) fn create(name: &str) -> Result<(), Error> {
    run("ip", &["netns", "add", name])?;
    run("ip", &["-n", name, "link", "set", "lo", "up"]).map(drop)
}

/// Removes a namespace. What still runs in it keeps it alive, without its name.
pub(crate) fn remove(name: &str) -> Result<(), Error> {
    run("ip", &["netns", "delete", name]).map(drop)
}

/// Names of all namespaces of the machine that begin with `prefix`.
pub(crate) fn list(prefix: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect()
}

/// Moves the calling thread, and the threads it starts from now on, into a namespace.
fn enter(name: &str) -> io::Result<()> {
    let handle = File::open(Path::new(DIRECTORY).join(name))?;
    move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Starts a thread that lives in a namespace; `None` is the machine's own.
pub(crate) fn spawn_in<T: Send + 'static>(
    namespace: Option<String>,
    what: &str,
    body: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<JoinHandle<io::Result<T>>, Error> {
    thread::Builder::new()
        .name(what.to_owned())
        .spawn(move || {
            if let Some(name) = namespace {
                enter(&name)?;
            }
            body()
        })
        .map_err(Error::system(format!("cannot start the thread {what}")))
}
