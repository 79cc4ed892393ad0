//! Browsers that are logged in. A browser cannot keep the token where scripts do not reach it, so it gets a cookie that only
//! the daemon can make; nothing is stored, and a new token ends every session.

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
        bool::from(secret.as_bytes().ct_eq(self.token.as_bytes()))
    }

    /// What a browser shows from now on.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn cookie(&self) -> Result<String> {
        let said = format!("{}.{}", now_ms() + SESSION_MS, concept::hex(&random::<16>()?));
        Ok(format!("{said}.{}", concept::hex(&self.seal(&said).finalize().into_bytes())))
    }

    /// Whether a browser's cookie is one of ours and still holds.
    pub fn holds(&self, cookie: &str) -> bool {
        let Some((said, seal)) = cookie.rsplit_once('.') else { return false };
        let ends = said.split('.').next().and_then(|ends| ends.parse::<i64>().ok());
        let sealed = concept::hex(&self.seal(said).finalize().into_bytes());
        bool::from(sealed.as_bytes().ct_eq(seal.as_bytes())) && ends.is_some_and(|ends| ends > now_ms())
    }

    fn seal(&self, said: &str) -> Hmac<Sha256> {
        let mut seal =
            Hmac::<Sha256>::new_from_slice(self.token.as_bytes()).expect("bug: HMAC takes keys of any length");
        seal.update(b"conceptd session ");
        seal.update(said.as_bytes());
        seal
    }
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
        let cookie = sessions.cookie().expect("a cookie");
        assert!(sessions.holds(&cookie) && !others.holds(&cookie));
        let later = format!("9{cookie}");
        assert!(!sessions.holds(&later) && !sessions.holds("") && !sessions.holds("1.2.3"));
        let said = format!("{}.ab", now_ms() - 1);
        let old = format!("{said}.{}", concept::hex(&sessions.seal(&said).finalize().into_bytes()));
        assert!(!sessions.holds(&old));
    }
}
