//! From the model to elements.

mod configuration;
mod constraint;
mod nvset;
mod resource;
mod status;
mod xml;

use hac_model::{Cib, CibInfo};
use time::OffsetDateTime;

pub(crate) use xml::{Attributes, Writer};

/// Schema that the output follows if the CIB names none.
const SCHEMA: &str = "pacemaker-3.9";

/// Writes the whole document.
pub(super) fn cib(cib: &Cib) -> String {
    let mut writer = Writer::default();
    writer.element("cib", &root_attributes(cib), |w| {
        w.element("configuration", &Attributes::default(), |w| configuration::configuration(w, &cib.configuration));
        w.element("status", &Attributes::default(), |w| status::status(w, &cib.status));
    });
    writer.finish()
}

fn root_attributes(cib: &Cib) -> Attributes {
    let CibInfo {
        have_quorum,
        dc_uuid,
        validate_with,
        crm_feature_set,
        execution_date,
        no_quorum_panic,
        last_changed_ms,
        update_origin,
        update_client,
        update_user,
    } = &cib.info;
    Attributes::default()
        .opt("crm_feature_set", crm_feature_set.as_ref())
        .with("validate-with", validate_with.as_deref().unwrap_or(SCHEMA))
        .with("epoch", cib.version.epoch)
        .with("num_updates", cib.version.num_updates)
        .with("admin_epoch", cib.version.admin_epoch)
        .opt("cib-last-written", last_changed_ms.and_then(last_written))
        .opt("update-origin", update_origin.as_ref())
        .opt("update-client", update_client.as_ref())
        .opt("update-user", update_user.as_ref())
        .with("have-quorum", u8::from(*have_quorum))
        .opt("dc-uuid", dc_uuid.as_ref())
        .opt("execution-date", *execution_date)
        .opt("no-quorum-panic", *no_quorum_panic)
}

/// A time in UTC as `Sun Nov  2 07:36:07 2026`.
fn last_written(ms: i64) -> Option<String> {
    let format = time::macros::format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
    );
    OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).ok()?.format(&format).ok()
}
