//! How an admin listener is named.

use super::*;

#[test]
fn an_address_is_told_from_what_is_none() {
    let none = Trust::default();
    for good in [
        "127.0.0.1:9090",
        "http://localhost:9090/",
        "[::1]:9090",
        "https://localhost:9090",
        "https://[::1]:9090/",
    ] {
        assert!(Client::new(good, None, &none).is_ok(), "{good}");
    }
    for bad in [
        "",
        "localhost",
        "https://localhost",
        "ftp://localhost:9090",
        "http://a:1/x",
        "a b:1",
    ] {
        assert!(Client::new(bad, None, &none).is_err(), "{bad}");
    }
}
