//! From elements to the model.

mod configuration;
mod constraint;
mod nvset;
mod resource;
mod status;
mod upgrade;

use hac_model::{Cib, CibInfo, Version, parse_bool};
use time::PrimitiveDateTime;

use super::Problem;
use super::document::{Element, Fault, quotable};

pub(super) use status::early;

/// Reads the root element; takes out what was read early.
pub(super) fn cib(root: &mut Element<'_>) -> Result<Cib, Fault> {
    if root.name != "cib" {
        return Err(root.fault(Problem::NotCib(quotable(root.name))));
    }
    let mut cib = Cib {
        version: Version {
            admin_epoch: root.number("admin_epoch")?.unwrap_or(0),
            epoch: root.number("epoch")?.unwrap_or(0),
            num_updates: root.number("num_updates")?.unwrap_or(0),
        },
        info: info(root)?,
        configuration: root
            .child("configuration")
            .map(configuration::configuration)
            .transpose()?
            .unwrap_or_default()
            .into(),
        status: root.child_mut("status").map(status::status).transpose()?.unwrap_or_default(),
    };
    upgrade::upgrade(&mut cib);
    Ok(cib)
}

fn info(root: &Element<'_>) -> Result<CibInfo, Fault> {
    Ok(CibInfo {
        have_quorum: truth(root, "have-quorum")?.unwrap_or(false),
        dc_uuid: root.opt("dc-uuid"),
        validate_with: root.opt("validate-with"),
        crm_feature_set: root.opt("crm_feature_set"),
        execution_date: root.number("execution-date")?,
        no_quorum_panic: truth(root, "no-quorum-panic")?,
        last_changed_ms: root.get("cib-last-written").and_then(last_written),
        update_origin: root.opt("update-origin"),
        update_client: root.opt("update-client"),
        update_user: root.opt("update-user"),
    })
}

fn truth(element: &Element<'_>, name: &'static str) -> Result<Option<bool>, Fault> {
    element.parsed(name, "true or false", parse_bool)
}

/// Milliseconds since 1970 of a time such as `Sun Nov  2 07:36:07 2026`, taken as UTC. Text in another form is none: it
/// only informs.
fn last_written(text: &str) -> Option<i64> {
    let format = time::macros::format_description!(
        "[weekday repr:short] [month repr:short] [day padding:none] [hour]:[minute]:[second] [year]"
    );
    let single_spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let time = PrimitiveDateTime::parse(&single_spaced, &format).ok()?;
    time.assume_utc().unix_timestamp().checked_mul(1000)
}
