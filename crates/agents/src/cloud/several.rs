//! Names that stand for several addresses. The first of them may be dead without a word, and whoever connects would wait for
//! it until the time is up, again and again: after a request without an answer the next address comes first.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks names up for a client of HTTP, as the system does.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// How many requests had no answer.
    turn: Arc<AtomicUsize>,
    /// What the names stand for, in tests.
    #[cfg(test)]
    pub(crate) known: Option<Vec<SocketAddr>>,
}

impl Addresses {
    /// There was no answer: another one comes first next time.
    pub fn turn(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
    }

    async fn look_up(&self, name: &str) -> std::io::Result<Vec<SocketAddr>> {
        #[cfg(test)]
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let of = self.clone();
        Box::pin(async move {
            let mut all = of.look_up(name.as_str()).await?;
            if let Some(first) = of.turn.load(Ordering::Relaxed).checked_rem(all.len()) {
                all.rotate_left(first);
            }
            Ok(Box::new(all.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_a_request_without_an_answer_another_address_comes_first() {
        let all: Vec<SocketAddr> =
            ["192.0.2.1:0", "192.0.2.2:0", "[2001:db8::1]:0"].map(|text| text.parse().expect("an address")).to_vec();
        let addresses = Addresses { known: Some(all.clone()), ..Addresses::default() };
        let name = || "several.test".parse().expect("a name");
        for first in [0, 1, 2, 0] {
            let found: Vec<SocketAddr> = addresses.resolve(name()).await.expect("known").collect();
            assert_eq!((found[0], found.len()), (all[first], 3));
            addresses.turn();
        }
        let none = Addresses { known: Some(Vec::new()), ..Addresses::default() };
        assert_eq!(none.resolve(name()).await.expect("known").count(), 0);
    }
}
