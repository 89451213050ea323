//! Blocks of names and values, and rules.

use hac_model::{Expression, NvSet, Rule};

use super::xml::{Attributes, Writer};

/// Writes blocks as elements called `name`.
pub(super) fn sets(w: &mut Writer, name: &str, sets: &[NvSet]) {
    for set in sets {
        let attributes = Attributes::default()
            .nonempty("id", &set.id)
            .opt("id-ref", set.id_ref.as_ref())
            .opt("score", set.score.as_ref());
        w.element(name, &attributes, |w| {
            if let Some(condition) = &set.rule {
                rule(w, condition);
            }
            for pair in &set.pairs {
                let attributes = Attributes::default()
                    .nonempty("id", &pair.id)
                    .opt("id-ref", pair.id_ref.as_ref())
                    .nonempty("name", &pair.name)
                    .opt("value", pair.value.as_ref());
                w.empty("nvpair", &attributes);
            }
        });
    }
}

/// Writes a rule.
pub(super) fn rule(w: &mut Writer, rule: &Rule) {
    let attributes = Attributes::default()
        .nonempty("id", &rule.id)
        .opt("id-ref", rule.id_ref.as_ref())
        .opt("boolean-op", rule.boolean_op.as_ref())
        .opt("role", rule.role.as_ref())
        .opt("score", rule.score.as_ref())
        .opt("score-attribute", rule.score_attribute.as_ref());
    w.element("rule", &attributes, |w| {
        for part in &rule.expressions {
            expression(w, part);
        }
    });
}

fn expression(w: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Attribute { id, attribute, operation, value, value_type, value_source } => {
            let attributes = Attributes::default()
                .nonempty("id", id)
                .with("attribute", attribute)
                .with("operation", operation)
                .opt("value", value.as_ref())
                .opt("type", value_type.as_ref())
                .opt("value-source", value_source.as_ref());
            w.empty("expression", &attributes);
        }
        Expression::Date { id, operation, start, end, duration, spec } => {
            let attributes = Attributes::default()
                .nonempty("id", id)
                .opt("operation", operation.as_ref())
                .opt("start", start.as_ref())
                .opt("end", end.as_ref());
            w.element("date_expression", &attributes, |w| {
                if let Some(duration) = duration {
                    w.empty("duration", &Attributes::default().all(duration));
                }
                if let Some(spec) = spec {
                    w.empty("date_spec", &Attributes::default().all(spec));
                }
            });
        }
        Expression::Resource { id, class, provider, kind } => {
            let attributes = Attributes::default()
                .nonempty("id", id)
                .opt("class", class.as_ref())
                .opt("provider", provider.as_ref())
                .opt("type", kind.as_ref());
            w.empty("rsc_expression", &attributes);
        }
        Expression::Operation { id, name, interval } => {
            let attributes =
                Attributes::default().nonempty("id", id).with("name", name).opt("interval", interval.as_ref());
            w.empty("op_expression", &attributes);
        }
        Expression::Rule(inner) => rule(w, inner),
    }
}
