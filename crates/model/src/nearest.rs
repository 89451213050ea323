//! The known name that a mistyped or an abbreviated one was most likely meant to be.

/// The word of `known` that `word` was most likely meant to be: at most a third of it is different.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The names of `known` that `word` (in small letters) abbreviates: itself, or those that it begins; if there are none, those that
/// [have its letters](is_spread). Who left a letter out did not abbreviate.
#[must_use]
pub fn abbreviated<'a>(word: &str, known: &[&'a str]) -> Vec<&'a str> {
    if word.is_empty() {
        return Vec::new();
    }
    if let Some(exact) = known.iter().find(|name| **name == word) {
        return vec![exact];
    }
    let begun: Vec<_> = known.iter().copied().filter(|name| name.starts_with(word)).collect();
    if !begun.is_empty() {
        return begun;
    }
    if nearest(word, known.iter().copied()).is_some() {
        return Vec::new();
    }
    known.iter().copied().filter(|name| is_spread(word, name)).collect()
}

/// Whether the letters of `word` are in `name` in this order, the first one first.
#[must_use]
pub fn is_spread(word: &str, name: &str) -> bool {
    let mut rest = name.chars();
    word.chars().next() == name.chars().next() && word.chars().all(|c| rest.any(|letter| letter == c))
}

/// Number of single-letter edits (insert, delete, replace, swap of neighbours) between two words.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["token", "transport", "timestamp"];
        assert_eq!(nearest("tokn", known), Some("token"));
        assert_eq!(nearest("tokne", known), Some("token"));
        assert_eq!(nearest("timestmap", known), Some("timestamp"));
        assert_eq!(nearest("colour", known), None);
    }
}
