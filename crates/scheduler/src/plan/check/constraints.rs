//! What people asked for: orders, colocations, and what a group means.

use super::Violation;
use super::graph::{Graph, Op};
use super::places::starts_on;
use super::standing::{Service, Standing};
use hac_model::{Cib, Colocation, Constraint, INFINITY, Order, ResourceSet, Role, Task, parse_bool, parse_score};

pub(super) fn check(cib: &Cib, standing: &Standing<'_>, graph: &Graph<'_>, violations: &mut Vec<Violation>) {
    let ops: Vec<Op<'_>> = graph.ops().collect();
    let mut law = Law { cib, standing, graph, ops, violations };
    for constraint in &cib.configuration.constraints {
        match constraint {
            Constraint::Order(order) => law.order(order),
            Constraint::Colocation(colocation) if colocation.lifetime.is_empty() => law.colocation(colocation),
            Constraint::Colocation(_) | Constraint::Location(_) | Constraint::Ticket(_) => {}
        }
    }
    law.groups();
}

/// A mandatory order of two.
struct Pair<'c> {
    rule: &'c str,
    first: &'c str,
    first_task: Task,
    then: &'c str,
    then_task: Task,
    symmetrical: bool,
}

/// A mandatory colocation of two.
struct Together<'c> {
    rule: &'c str,
    dependent: &'c str,
    dependent_role: Option<&'c str>,
    primary: &'c str,
    primary_role: Option<&'c str>,
    attribute: Option<&'c str>,
    /// Never in one place, instead of always.
    apart: bool,
}

struct Law<'s, 'v, 'o> {
    cib: &'s Cib,
    standing: &'s Standing<'v>,
    graph: &'s Graph<'v>,
    ops: Vec<Op<'v>>,
    violations: &'o mut Vec<Violation>,
}

fn truth(value: Option<&String>, default: bool) -> bool {
    value.and_then(|value| parse_bool(value)).unwrap_or(default)
}

fn is_mandatory(kind: Option<&str>, score: Option<&str>) -> bool {
    match kind {
        Some(kind) => !kind.eq_ignore_ascii_case("optional") && !kind.eq_ignore_ascii_case("serialize"),
        None => score.and_then(parse_score).is_none_or(|score| score != 0),
    }
}

impl<'v> Law<'_, 'v, '_> {
    fn order(&mut self, order: &Order) {
        let symmetrical = truth(order.symmetrical.as_ref(), true);
        if !order.sets.is_empty() {
            for set in &order.sets {
                let kind = set.kind.as_deref().or(order.kind.as_deref());
                if is_mandatory(kind, set.score.as_deref().or(order.score.as_deref())) {
                    self.ordered_set(&order.id, set, symmetrical);
                }
            }
            return;
        }
        let numbered = order.first_instance.is_some() || order.then_instance.is_some();
        let partly = !truth(order.require_all.as_ref(), true);
        let mandatory = is_mandatory(order.kind.as_deref(), order.score.as_deref());
        if numbered || partly || !mandatory || self.names_a_copy(&[&order.first, &order.then]) {
            return;
        }
        let first_task = order.first_action.as_deref().map_or(Some(Task::Start), Task::parse);
        let then_task = order.then_action.as_deref().map_or(first_task, Task::parse);
        let (Some(first_task), Some(then_task)) = (first_task, then_task) else { return };
        self.pair(&Pair {
            rule: &order.id,
            first: &order.first,
            first_task,
            then: &order.then,
            then_task,
            symmetrical,
        });
    }

    /// Each member before the next.
    fn ordered_set(&mut self, rule: &str, set: &ResourceSet, symmetrical: bool) {
        let sequential = truth(set.sequential.as_ref(), true) && truth(set.require_all.as_ref(), true);
        if !sequential || set.id_ref.is_some() || self.names_a_copy(&set.members) {
            return;
        }
        let Some(task) = set.action.as_deref().map_or(Some(Task::Start), Task::parse) else { return };
        for pair in set.members.windows(2) {
            if let [first, then] = pair {
                self.pair(&Pair { rule, first, first_task: task, then, then_task: task, symmetrical });
            }
        }
    }

    fn pair(&mut self, pair: &Pair<'_>) {
        let needs = self.standing.meant(pair.first);
        let some_are_enough = needs.iter().any(|s| s.clone.is_some_and(|clone| clone.meta.contains_key("clone-min")));
        let unjudged = self.in_containers(pair.first) || self.in_containers(pair.then);
        if needs.is_empty() || some_are_enough || unjudged || !matches!(pair.first_task, Task::Start | Task::Promote) {
            return;
        }
        let promoted = pair.first_task == Task::Promote;
        let met = |service: &&&Service<'_>| service.after.values().any(|role| !promoted || *role);
        // All members of a group; any instance of a clone.
        let runs = if needs.iter().all(|s| s.clone.is_none()) {
            needs.iter().all(|service| met(&service))
        } else {
            needs.iter().any(|service| met(&service))
        };
        for then in self.orders(pair.then, pair.then_task) {
            let Some(service) = self.standing.of(&then) else { continue };
            if service.is_meant_by(pair.first) {
                continue;
            }
            if !runs {
                self.violations.push(Violation::Unmet {
                    then: then.name(),
                    needed: pair.first.to_owned(),
                    rule: pair.rule.to_owned(),
                });
            }
            self.all_before(pair.rule, &then, pair.first, pair.first_task, service.interleaves());
        }
        if pair.symmetrical && pair.first_task == Task::Start && pair.then_task == Task::Start {
            for stop in self.orders(pair.first, Task::Stop) {
                if self.standing.of(&stop).is_some_and(|service| !service.is_meant_by(pair.then)) {
                    let neighbours = self.standing.meant(pair.then).iter().any(|s| s.interleaves());
                    self.all_before(pair.rule, &stop, pair.then, Task::Stop, neighbours);
                }
            }
        }
    }

    /// `then` waits for every order `task` of `first`: with `neighbours`, for those on its node.
    fn all_before(&mut self, rule: &str, then: &Op<'_>, first: &str, task: Task, neighbours: bool) {
        let both_clones = |op: &Op<'_>| {
            let is_clone = |op: &Op<'_>| self.standing.of(op).is_some_and(|s| s.clone.is_some());
            is_clone(op) && is_clone(then)
        };
        let early: Vec<Violation> = self
            .orders(first, task)
            .iter()
            .filter(|op| op.resource != then.resource)
            .filter(|op| !(neighbours && both_clones(op) && op.node != then.node))
            .filter(|op| !self.graph.waits(then.index, op.index))
            .filter(|op| !self.is_under_way(op))
            .map(|op| Violation::TooEarly { then: then.name(), first: op.name(), rule: rule.to_owned() })
            .collect();
        self.violations.extend(early);
    }

    /// Whether an instance of a clone is being started there already: the plan has that start for its result alone. If the
    /// clone starts nothing else, nobody waits for it, in Pacemaker's plans neither.
    fn is_under_way(&self, op: &Op<'_>) -> bool {
        let service = self.standing.of(op).filter(|service| service.clone.is_some() && op.task == Task::Start);
        service.is_some_and(|service| starts_on(service, op.node))
    }

    /// Whether people have said of something and of what it is a part of that they belong together, or apart: of that
    /// nothing follows that could hold.
    fn contradict(&self, a: &str, b: &str) -> bool {
        let within = |part: &str, whole: &str| {
            let parts = self.standing.meant(part);
            part != whole && !parts.is_empty() && parts.iter().all(|service| service.is_meant_by(whole))
        };
        within(a, b) || within(b, a)
    }

    /// Whether one of these names what a clone copies instead of the clone. It counts only while there is a history under that
    /// name; else the constraint is ignored (crm_simulate 2.1.5 says so).
    fn names_a_copy(&self, names: &[impl AsRef<str>]) -> bool {
        let copied =
            |id: &str| self.standing.meant(id).iter().any(|service| service.clone.is_some_and(|clone| clone.id != id));
        names.iter().any(|name| copied(name.as_ref()))
    }

    /// Whether `id` means a bundle or a part of one.
    fn in_containers(&self, id: &str) -> bool {
        self.standing.meant(id).iter().any(|service| service.contained)
    }

    /// What the plan really orders of `task` for what a constraint calls `id`.
    fn orders(&self, id: &str, task: Task) -> Vec<Op<'v>> {
        let fits = |op: &&Op<'v>| op.is_real() && op.task == task;
        let meant = |op: &&Op<'v>| self.standing.of(op).is_some_and(|service| service.is_meant_by(id));
        self.ops.iter().filter(fits).filter(meant).copied().collect()
    }

    fn colocation(&mut self, colocation: &Colocation) {
        let Some(score) = colocation.score.as_deref().and_then(parse_score) else { return };
        if !colocation.sets.is_empty() {
            for set in &colocation.sets {
                self.colocated_set(&colocation.id, set, score);
            }
            return;
        }
        let numbered = colocation.rsc_instance.is_some() || colocation.with_rsc_instance.is_some();
        let unjudged = numbered || self.names_a_copy(&[&colocation.rsc, &colocation.with_rsc]);
        if score.abs() < INFINITY || unjudged || self.contradict(&colocation.rsc, &colocation.with_rsc) {
            return;
        }
        self.together(&Together {
            rule: &colocation.id,
            dependent: &colocation.rsc,
            dependent_role: colocation.rsc_role.as_deref(),
            primary: &colocation.with_rsc,
            primary_role: colocation.with_rsc_role.as_deref(),
            attribute: colocation.node_attribute.as_deref(),
            apart: score < 0,
        });
    }

    /// Each member with the one before it.
    fn colocated_set(&mut self, rule: &str, set: &ResourceSet, score: i32) {
        let score = set.score.as_deref().and_then(parse_score).unwrap_or(score);
        let plain = set.ordering.is_none() && set.role.is_none() && set.id_ref.is_none();
        let sequential = truth(set.sequential.as_ref(), true);
        if !plain || score < INFINITY || !sequential || self.names_a_copy(&set.members) {
            return;
        }
        for pair in set.members.windows(2) {
            if let [primary, dependent] = pair {
                let together = Together {
                    rule,
                    dependent,
                    dependent_role: None,
                    primary,
                    primary_role: None,
                    attribute: None,
                    apart: false,
                };
                self.together(&together);
            }
        }
    }

    fn together(&mut self, together: &Together<'_>) {
        let primaries = self.standing.meant(together.primary);
        let task = match together.dependent_role.map_or(Some(Role::Started), Role::parse) {
            Some(Role::Promoted) => Task::Promote,
            Some(Role::Started) => Task::Start,
            _ => return,
        };
        if primaries.is_empty() || self.in_containers(together.primary) || self.in_containers(together.dependent) {
            return;
        }
        for start in self.orders(together.dependent, task) {
            let place = |node: &str| match together.attribute {
                Some(name) if name != "#uname" => {
                    self.standing.node(node).and_then(|node| node.attributes.get(name)).cloned()
                }
                _ => Some(node.to_owned()),
            };
            let there = |service: &&Service<'_>| {
                service.view.id != start.resource
                    && service.after.iter().any(|(node, promoted)| {
                        let role = match together.primary_role {
                            Some("Promoted" | "Master") => *promoted,
                            Some("Unpromoted" | "Slave") => !*promoted,
                            _ => true,
                        };
                        role && place(node) == place(start.node)
                    })
            };
            let cloned = self.standing.of(&start).is_some_and(|service| service.clone.is_some());
            // What nothing may be done to and is in several places belongs to one of them for the scheduler (crm_simulate
            // 2.1.5 decides so): nothing follows for the others.
            let is_torn = |service: &&&Service<'_>| !service.is_free() && service.after.len() > 1;
            let meets = primaries.iter().filter(|service| !(together.apart && is_torn(service))).any(there);
            let (start, with, rule) = (start.name(), together.primary.to_owned(), together.rule.to_owned());
            match (meets, together.apart) {
                (false, false) => self.violations.push(Violation::Apart { start, with, rule }),
                (true, true) if !cloned => self.violations.push(Violation::Together { start, with, rule }),
                _ => {}
            }
        }
    }

    /// A member starts where the others are, and after those before it.
    fn groups(&mut self) {
        for index in 0..self.standing.groups.len() {
            let group = &self.standing.groups[index];
            let ordered = truth(group.group.meta.get("ordered"), true);
            let torn = self.cib.configuration.constraints.iter().any(|constraint| match constraint {
                Constraint::Colocation(c) => {
                    let about = |id: &String| *id == group.group.id;
                    (about(&c.rsc) || about(&c.with_rsc)) && self.contradict(&c.rsc, &c.with_rsc)
                }
                _ => false,
            });
            let colocated = truth(group.group.meta.get("collocated"), true) && !torn;
            let rule = &group.group.id;
            for pair in group.members.windows(2) {
                let [first, then] = pair else { continue };
                if ordered {
                    self.pair(&Pair {
                        rule,
                        first,
                        first_task: Task::Start,
                        then,
                        then_task: Task::Start,
                        symmetrical: true,
                    });
                }
                if colocated {
                    self.together(&Together {
                        rule,
                        dependent: then,
                        dependent_role: None,
                        primary: first,
                        primary_role: None,
                        attribute: None,
                        apart: false,
                    });
                }
            }
        }
    }
}
