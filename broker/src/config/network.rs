//! Addresses and networks, such as those that proxies are in.

use std::net::IpAddr;

use config::ValueKind;

use super::setting::{Setting, Wrong, lone_or_list, lone_or_list_from_text, lone_or_list_schema};

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    /// Leading bits that are those of `base`.
    bits: u32,
}

/// Any of some networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Networks(Vec<Network>);

impl Network {
    fn read(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("holds something that is neither an address nor a network");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = width(base);
        let bits = match bits {
            // As `+8` or ` 8` would be read by `parse`.
            Some(bits) if !bits.bytes().all(|byte| byte.is_ascii_digit()) => return Err(wrong()),
            Some(bits) => bits.parse().map_err(|_| wrong())?,
            None => most,
        };
        if bits > most {
            return Err(Wrong::new(
                "holds a network with more bits than its address",
            ));
        }
        if masked(base, bits) != value(base) {
            return Err(Wrong::new(
                "holds a network whose address has bits behind its mask: `10.1.0.0/8` would be `10.0.0.0/8`",
            ));
        }
        Ok(Self { base, bits })
    }

    /// An IPv4 address that came as IPv6 (`::ffff:10.0.0.1`) is to be given as IPv4.
    fn contains(&self, address: IpAddr) -> bool {
        self.base.is_ipv4() == address.is_ipv4() && masked(address, self.bits) == value(self.base)
    }
}

impl Networks {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is in one of them, in whichever form it came.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// Those that are written like this.
    #[cfg(test)]
    pub(crate) fn of(names: &[&str]) -> Self {
        let read = |name: &&str| Network::read(name);
        Self(names.iter().map(read).collect::<Result<_, _>>().unwrap())
    }

    fn from_names(names: &[String]) -> Result<Self, Wrong> {
        let networks = names.iter().map(|name| Network::read(name));
        networks.collect::<Result<_, _>>().map(Self)
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn masked(address: IpAddr, bits: u32) -> u128 {
    let rest = width(address).saturating_sub(bits);
    // Shifting by the whole width would be too far.
    let mask = u128::MAX.checked_shl(rest).unwrap_or_default();
    value(address) & mask
}

impl Setting for Networks {
    const EXPECTED: &'static str =
        r#"a list of addresses and networks such as `["127.0.0.1", "10.0.0.0/8", "fd00::/8"]`"#;
    const TYPE: &'static str = "list";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        lone_or_list_schema()
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        Self::from_names(&lone_or_list_from_text(text)?)
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        Self::from_names(&lone_or_list(value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_network() {
        let networks = Networks::from_text(
            r#"["10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::1", "0.0.0.0/32"]"#,
        )
        .unwrap();
        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "192.0.2.7",
            "fd12:3456::1",
            "2001:db8::1",
            "::ffff:10.1.2.3",
            "0.0.0.0",
        ] {
            assert!(networks.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.0", "192.0.2.8", "fe00::1", "2001:db8::2", "::a00:1"] {
            assert!(!networks.contain(outside.parse().unwrap()), "{outside}");
        }
        let all = Networks::from_text(r#"["0.0.0.0/0"]"#).unwrap();
        assert!(all.contain("203.0.113.9".parse().unwrap()));
        assert!(!all.contain("2001:db8::1".parse().unwrap()));
        assert!(!Networks::default().contain("127.0.0.1".parse().unwrap()));
        assert_eq!(Networks::from_text("127.0.0.1").unwrap().0.len(), 1);
    }

    #[test]
    fn what_is_no_network() {
        for wrong in [
            "",
            "localhost",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.1.0.0/8",
            "10.0.0.0/8/8",
            "[\"10.0.0.0/8\", 7]",
        ] {
            assert!(Networks::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
