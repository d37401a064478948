//! `[policy.breaker]`, and what happens to a policy without a module.

use super::mistakes::check;
use super::*;

/// Of a policy `a` with these lines.
fn breaker(lines: &str) -> PolicyBreaker {
    let policy = format!("[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n{lines}");
    let [policy] = &Folder::toml(&policy).config().policies[..] else {
        panic!("one policy");
    };
    policy.breaker
}

#[test]
fn it_is_there_unless_it_is_turned_off() {
    assert_eq!(breaker(""), PolicyBreaker::default());
    assert_eq!(breaker("breaker = { failures = 0 }").failures, 0);
    let all = breaker(
        "[policy.breaker]\nfailures = 3\nwindow = \"1m\"\nbackoff = \"50ms\"\nmax_backoff = \"2s\"",
    );
    let expected = PolicyBreaker {
        failures: 3,
        window: Duration::from_secs(60),
        backoff: Duration::from_millis(50),
        max_backoff: Duration::from_secs(2),
    };
    assert_eq!(all, expected);
}

#[test]
fn bounds() {
    let wrong = |line: &str, expected: &str| {
        check(
            &format!("[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n[policy.breaker]\n{line}"),
            &format!("policy[0].breaker.{expected}"),
        );
    };
    wrong(
        "failures = 1000001",
        "failures (policy `a`): `1000001` is out of bounds; expected 0 to 1000000",
    );
    wrong(
        "window = \"0s\"",
        "window (policy `a`): `0s` is out of bounds; expected 1ms to 1h",
    );
    wrong(
        "backoff = \"2h\"",
        "backoff (policy `a`): `2h` is out of bounds",
    );
    wrong(
        "backoff = \"5s\"\nmax_backoff = \"4s\"",
        "max_backoff (policy `a`): `4s` is less than `backoff`",
    );
}

#[test]
fn a_module_may_be_missing_if_every_failure_is_allowed() {
    let missing = |on_error: &str| {
        let policy = "[[policy]]\nname = \"b\"\nmodule = \"b.wasm\"\non_error = ";
        Folder::toml(&format!("{policy}{on_error}")).load().is_ok()
    };
    assert!(missing("\"allow\""));
    assert!(missing(
        "{ connect = \"allow\", event = \"allow\", subscribe = \"allow\" }"
    ));
    assert!(!missing("\"deny\""));
    assert!(!missing("{ connect = \"allow\", event = \"allow\" }"));
    // A mistake is no permission.
    assert!(!missing("\"alow\""));
}
