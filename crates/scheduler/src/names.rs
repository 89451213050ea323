//! Names of nodes and resources: their order, and what is an instance's number.

/// A resource id without its instance number.
#[must_use]
pub fn base_name(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, number))
            if !base.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            base
        }
        _ => id,
    }
}

/// Compares names as people sort them: digits as numbers, letters without case.
pub(crate) fn compare_names(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return std::cmp::Ordering::Equal,
            (None, _) => return std::cmp::Ordering::Less,
            (_, None) => return std::cmp::Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let digits = |s: &[u8]| s.iter().take_while(|b| b.is_ascii_digit()).count();
                let (n, m) = (digits(a), digits(b));
                let number =
                    |s: &[u8]| s.iter().fold(0_u128, |n, d| n.saturating_mul(10).saturating_add(u128::from(d - b'0')));
                match number(&a[..n]).cmp(&number(&b[..m])) {
                    std::cmp::Ordering::Equal => (a, b) = (&a[n..], &b[m..]),
                    unequal => return unequal,
                }
            }
            (Some(x), Some(y)) => match x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase()) {
                std::cmp::Ordering::Equal => (a, b) = (&a[1..], &b[1..]),
                unequal => return unequal,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_would() {
        let mut names = vec!["node10", "Node2", "node1", "a"];
        names.sort_by(|a, b| compare_names(a, b));
        assert_eq!(names, ["a", "node1", "Node2", "node10"]);
    }

    #[test]
    fn only_a_number_after_the_colon_is_an_instance() {
        assert_eq!(base_name("rsc:12"), "rsc");
        assert_eq!(base_name("rsc:x"), "rsc:x");
        assert_eq!(base_name(":1"), ":1");
    }
}
