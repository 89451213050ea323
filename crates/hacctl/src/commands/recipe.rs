//! `hacctl recipe`: whole configurations that are common, printed before they are applied.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hac_api::ErrorCode;
use hac_pacemaker::crm_syntax;

use super::{Context, secrets};
use crate::failure::Failure;
use crate::terminal;

/// The name of the secret with the cloud's token.
const TOKEN: &str = "do_token";

/// `hacctl recipe ...`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RecipeCommand {
    /// A web server on every node and a floating address at one that serves
    ActivePassive(RecipeArgs),
    /// HAProxy on every node, bound to its anchor address, and a floating address at one that serves
    HaproxyAnchor(RecipeArgs),
}

/// Options of a recipe.
#[derive(Clone, Debug, Args)]
pub(crate) struct RecipeArgs {
    /// The floating (reserved) address
    #[arg(long, value_name = "IP", value_parser = address)]
    address: Ipv4Addr,
    /// The web server's program
    #[arg(long, value_name = "FILE", default_value = "/usr/sbin/nginx")]
    httpd: String,
    /// Apply it without asking
    #[arg(long, short = 'y')]
    yes: bool,
    /// Only print what would be configured
    #[arg(long)]
    dry_run: bool,
}

/// An address as it is typed.
fn address(text: &str) -> Result<Ipv4Addr, &'static str> {
    text.parse().map_err(|_| "it is no IPv4 address; write the reserved address itself, such as 203.0.113.25")
}

/// Prints, asks, applies.
pub(crate) async fn run(context: &Context, command: &RecipeCommand) -> Result<ExitCode, Failure> {
    let (text, args) = match command {
        RecipeCommand::ActivePassive(args) => (active_passive(args), args),
        RecipeCommand::HaproxyAnchor(args) => (haproxy_anchor(args), args),
    };
    let changes = crm_syntax::parse(&text)
        .map_err(|error| Failure::new(ErrorCode::Internal, format!("the recipe cannot be read: {error}")))?;
    if context.json && args.dry_run {
        terminal::print_json(&serde_json::json!({ "configuration": text }))?;
    } else if !context.json {
        terminal::print(&text)?;
    }
    let missing = !secrets::names(&context.client.cib(false).await?.configuration).iter().any(|name| name == TOKEN);
    let remedy = format!("'hacctl secret set {TOKEN}' keeps the token of the cloud's API; then run this again.");
    if args.dry_run {
        if missing {
            eprintln!("WARNING: there is no secret {TOKEN} yet");
            eprintln!("  {remedy}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if missing {
        return Err(Failure::new(ErrorCode::NoSuch, format!("there is no secret {TOKEN}; nothing was changed"))
            .with_remedy(remedy));
    }
    if !args.yes {
        terminal::confirm(
            "this is added to the configuration",
            "--yes does it without asking, --dry-run only prints it.",
        )?;
    }
    let waiting = context.waiting();
    waiting.change(&changes, "the recipe is applied; 'hacctl status' shows what runs").await?;
    Ok(ExitCode::SUCCESS)
}

/// What both have: no fencing device exists for the address, and the provider itself has it in one place only.
fn common(args: &RecipeArgs, service: &str) -> String {
    format!(
        "property stonith-enabled=false no-quorum-policy=ignore\n\
         primitive FloatIP ocf:digitalocean:floatip params do_token=secret:{TOKEN} floating_ip={} \
         op monitor interval=10s timeout=20s meta failure-timeout=60s\n\
         {service}",
        args.address
    )
}

fn active_passive(args: &RecipeArgs) -> String {
    common(
        args,
        &format!(
            "primitive Nginx ocf:heartbeat:nginx params httpd={} op start timeout=40s interval=0 \
         op monitor timeout=30s interval=10s on-fail=restart op stop timeout=60s interval=0\n\
         clone Nginx-clone Nginx\n\
         colocation FloatIP-Nginx inf: FloatIP Nginx-clone\n",
            args.httpd
        ),
    )
}

fn haproxy_anchor(args: &RecipeArgs) -> String {
    common(
        args,
        "primitive HAProxy systemd:haproxy op start timeout=40s interval=0 \
         op monitor timeout=30s interval=10s on-fail=restart op stop timeout=60s interval=0\n\
         clone HAProxy-clone HAProxy\n\
         colocation FloatIP-HAProxy inf: FloatIP HAProxy-clone\n",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_configurations_without_a_token_in_them() {
        let args = RecipeArgs {
            address: Ipv4Addr::new(203, 0, 113, 9),
            httpd: "/usr/sbin/nginx".to_owned(),
            yes: false,
            dry_run: true,
        };
        for text in [active_passive(&args), haproxy_anchor(&args)] {
            let changes = crm_syntax::parse(&text).expect("it can be read");
            assert_eq!(changes.len(), 5, "{text}");
            assert!(text.contains("floating_ip=203.0.113.9") && text.contains("do_token=secret:do_token"), "{text}");
        }
    }
}
