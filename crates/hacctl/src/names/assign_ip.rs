//! `assign-ip`: the tutorial's script, `DO_TOKEN=TOKEN assign-ip FLOATING_IP DROPLET_ID`.

use std::process::ExitCode;
use std::time::Duration;

use crate::failure::Failure;
use crate::terminal;

/// Where the provider's API is.
const API: &str = "https://api.digitalocean.com";

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs with these words.
pub(super) fn run(words: &[String]) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("could not start", &error))
        .and_then(|runtime| runtime.block_on(assign(words)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(false);
            ExitCode::from(failure.exit_code)
        }
    }
}

async fn assign(words: &[String]) -> Result<(), Failure> {
    let usage = || {
        Failure { exit_code: 1, ..Failure::usage("an address and the id of a droplet are needed") }
            .with_remedy("Write: DO_TOKEN=TOKEN assign-ip FLOATING_IP DROPLET_ID")
    };
    let [address, droplet] = words else { return Err(usage()) };
    let address: std::net::IpAddr = address.parse().map_err(|_| usage())?;
    let droplet: u64 = droplet.parse().map_err(|_| usage())?;
    let token = std::env::var("DO_TOKEN").ok().filter(|token| !token.is_empty()).ok_or_else(|| {
        Failure { exit_code: 1, ..Failure::usage("the variable DO_TOKEN is not set") }
            .with_remedy("Write: DO_TOKEN=TOKEN assign-ip FLOATING_IP DROPLET_ID")
    })?;
    let base = std::env::var("DO_API_URL").unwrap_or_else(|_| API.to_owned());
    let url = format!("{base}/v2/floating_ips/{address}/actions");
    // Only fails if it is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .map_err(|error| Failure::system("could not prepare the connection", &error))?;
    let body = serde_json::json!({ "type": "assign", "droplet_id": droplet });
    let answer = client.post(&url).bearer_auth(token).json(&body).send().await.map_err(|error| {
        // The address of the API is no secret; the token stands in no error.
        Failure { exit_code: 1, ..Failure::system("the API did not answer", &error.without_url()) }
            .with_remedy("Look at the network and at the provider's status page.")
    })?;
    let status = answer.status();
    let body: serde_json::Value = answer.json().await.unwrap_or_default();
    if status.is_success() {
        let action = body.pointer("/action/id").map(ToString::to_string).unwrap_or_default();
        return terminal::print(&format!("Moving IP address: {address} (action {action})"));
    }
    let message = body.get("message").and_then(|message| message.as_str()).unwrap_or("no reason was given");
    let remedy = match status.as_u16() {
        401 | 403 => "The token is wrong, or lacks write access to reserved IPs.",
        404 => "Is the address one of this account, and the droplet in the same datacenter?",
        422 => "Another action on this address is under way: try again in a moment.",
        429 => "Too many requests: wait before you try again.",
        _ => "Look at the provider's status page.",
    };
    let sentence = format!("the API refused with {}: {}", status.as_u16(), terminal::harmless(message));
    Err(Failure { exit_code: 1, ..Failure::usage(sentence) }.with_remedy(remedy))
}
