//! `[policy.trial]`.

use super::mistakes::check;
use super::*;

#[test]
fn a_new_version_has_bounds() {
    let trial = |lines: &str| {
        let policy = format!("[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n{lines}");
        let [policy] = &Folder::toml(&policy).config().policies[..] else {
            panic!("one policy");
        };
        policy.trial.clone()
    };
    let usual = trial("");
    assert_eq!((usual.max_failures, usual.min_calls), (5, 100));
    assert_eq!((usual.max_denial_increase, usual.guard), (20, None));
    let guarded = trial("trial = { guard = \"30s\", max_failures = 1 }");
    assert_eq!(guarded.guard, Some(Duration::from_secs(30)));
    assert_eq!(guarded.max_failures, 1);
    assert_eq!(
        trial("trial = { max_denial_increase = 0 }").max_denial_increase,
        0
    );
    let wrong = |line: &str, expected: &str| {
        check(
            &format!("[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n[policy.trial]\n{line}"),
            &format!("policy[0].trial.{expected}"),
        );
    };
    wrong(
        "max_failures = 0",
        "max_failures (policy `a`): `0` is out of bounds; expected 1 or more",
    );
    wrong(
        "max_denial_increase = 101",
        "max_denial_increase (policy `a`): `101` is out of bounds; expected 0 to 100",
    );
    wrong(
        "guard = \"0s\"",
        "guard (policy `a`): `0s` is out of bounds; expected 1s to 24h",
    );
    wrong(
        "min_calls = 0",
        "min_calls (policy `a`): `0` is out of bounds; expected 1 or more",
    );
}
