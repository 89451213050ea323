//! Notifications of clone instances about what happens to their siblings.
