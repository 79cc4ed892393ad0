//! Browsers that are logged in. A browser cannot keep the token where scripts do not reach it, so it gets a cookie that only
//! the daemon can make; nothing is stored, and a new token ends every session. Cookies know no ports, so that every other
//! server on the machine is shown them: a cookie alone shows pictures, anything else takes a key that the page keeps in the
//! storage of its origin, which knows ports.

use crate::{Result, random, store::now_ms};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use subtle::ConstantTimeEq;

/// How long a browser stays logged in.
pub const SESSION_MS: i64 = 30 * 24 * 3600 * 1000;
/// How long a link can be used.
const LINK_MS: i64 = 10 * 60 * 1000;
/// Links that can be used at a time; the oldest makes room.
const LINKS: usize = 32;

/// Makes and checks what logs browsers in.
pub struct Sessions {
    token: String,
    /// Codes of links, with the time when they end.
    links: Mutex<HashMap<String, i64>>,
}

impl Sessions {
    /// Sessions that hold as long as this token does.
    pub fn new(token: String) -> Self {
        Self { token, links: Mutex::default() }
    }

    fn links(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A code that logs one browser in, and the time when it ends.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn link(&self) -> Result<(String, i64)> {
        let (code, ends) = (concept::hex(&random::<16>()?), now_ms() + LINK_MS);
        let mut links = self.links();
        links.retain(|_, ends| *ends > now_ms());
        let oldest = links.iter().min_by_key(|(_, ends)| **ends).map(|(code, _)| code.clone());
        if let Some(oldest) = oldest.filter(|_| links.len() >= LINKS) {
            links.remove(&oldest);
        }
        links.insert(code.clone(), ends);
        Ok((code, ends))
    }

    /// Whether a secret logs in: the token, or the code of a link, which then is used up.
    pub fn redeem(&self, secret: &str) -> bool {
        self.is_token(secret) || self.links().remove(secret).is_some_and(|ends| ends > now_ms())
    }

    /// Whether a secret is the token.
    pub fn is_token(&self, secret: &str) -> bool {
        same(secret, &self.token)
    }

    /// What a browser shows from now on, and the key that its page keeps.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn begin(&self) -> Result<(String, String)> {
        let said = format!("{}.{}", now_ms() + SESSION_MS, concept::hex(&random::<16>()?));
        let cookie = format!("{said}.{}", self.seal("session", &said));
        let key = self.seal("key", &cookie);
        Ok((cookie, key))
    }

    /// Whether a browser's cookie is one of ours and still holds.
    pub fn holds(&self, cookie: &str) -> bool {
        let Some((said, seal)) = cookie.rsplit_once('.') else { return false };
        let ends = said.split('.').next().and_then(|ends| ends.parse::<i64>().ok());
        same(&self.seal("session", said), seal) && ends.is_some_and(|ends| ends > now_ms())
    }

    /// Whether a key is that of a cookie.
    pub fn fits(&self, cookie: &str, key: &str) -> bool {
        same(&self.seal("key", cookie), key)
    }

    fn seal(&self, purpose: &str, said: &str) -> String {
        let mut seal =
            Hmac::<Sha256>::new_from_slice(self.token.as_bytes()).expect("bug: HMAC takes keys of any length");
        seal.update(format!("conceptd {purpose} {said}").as_bytes());
        concept::hex(&seal.finalize().into_bytes())
    }
}

fn same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_counts_once_and_the_token_always() {
        let sessions = Sessions::new("t".repeat(64));
        let (code, ends) = sessions.link().expect("a code");
        assert!(ends > now_ms());
        assert!(sessions.redeem(&code) && !sessions.redeem(&code) && !sessions.redeem(""));
        assert!(sessions.redeem(&"t".repeat(64)) && sessions.redeem(&"t".repeat(64)));
        sessions.links().insert("late".into(), now_ms() - 1);
        assert!(!sessions.redeem("late"));
        let codes: Vec<String> = (0..40).map(|_| sessions.link().expect("a code").0).collect();
        assert!(sessions.links().len() <= LINKS && sessions.redeem(&codes[39]));
    }

    #[test]
    fn only_our_own_cookie_of_this_token_holds() {
        let (sessions, others) = (Sessions::new("a".repeat(64)), Sessions::new("b".repeat(64)));
        let (cookie, key) = sessions.begin().expect("a cookie");
        assert!(sessions.holds(&cookie) && !others.holds(&cookie));
        let (another, _) = sessions.begin().expect("a cookie");
        assert!(sessions.fits(&cookie, &key) && !sessions.fits(&another, &key) && !sessions.fits(&cookie, ""));
        let later = format!("9{cookie}");
        assert!(!sessions.holds(&later) && !sessions.holds("") && !sessions.holds("1.2.3"));
        let said = format!("{}.ab", now_ms() - 1);
        let old = format!("{said}.{}", sessions.seal("session", &said));
        assert!(!sessions.holds(&old));
    }
}
