//! Reading a set of keys. What is published there is for others too, so that what is of no use here is passed over; what
//! makes no sense as a whole is refused as a whole.

use policy_jwt::{Jwk, Keys};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the store keeps of a value ends at 64 KiB.
pub(crate) const MAX_BYTES: usize = 60 * 1024;
/// Issuers publish two or three, and large ones a dozen.
const MAX_KEYS: usize = 64;

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The keys of a set that are of use; only those with one of these thumbprints, where there are any.
pub(crate) fn read(body: &[u8], pins: &[String]) -> Result<Keys, String> {
    if body.len() > MAX_BYTES {
        return Err(format!("the keys have more than {MAX_BYTES} bytes"));
    }
    let set: Set<'_> =
        serde_json::from_slice(body).map_err(|_| "the answer is no set of keys".to_owned())?;
    if set.keys.len() > MAX_KEYS {
        return Err(format!("there are more than {MAX_KEYS} keys"));
    }
    let keys = set.keys.iter().filter_map(|key| {
        let key: Jwk = serde_json::from_str(key.get()).ok()?;
        let is_pinned = pins.is_empty() || pins.contains(&key.thumbprint());
        is_pinned.then(|| key.into_key().ok()).flatten()
    });
    Ok(Keys::new(keys.collect()))
}
