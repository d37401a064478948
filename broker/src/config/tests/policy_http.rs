//! Where policies may ask over HTTP.

use super::mistakes::check;
use super::*;

fn policy(keys: &str) -> String {
    format!("[[policy]]\nname = \"a\"\nmodule = \"a.wasm\"\n{keys}")
}

#[test]
fn without_the_capability_there_is_no_network() {
    assert_eq!(Folder::toml(&policy("")).config().policies[0].http, None);
}

#[test]
fn hosts_have_defaults() {
    let folder = Folder::toml(&policy(
        "grant = ['http']\nhttp.hosts = ['auth.example.com', 'http://127.0.0.1:8080']",
    ));
    let http = folder.config().policies[0].http.clone().unwrap();
    let hosts: Vec<_> = http.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(
        hosts,
        ["https://auth.example.com:443", "http://127.0.0.1:8080"]
    );
    assert_eq!(http.timeout, Duration::from_secs(2));
    assert_eq!(
        (http.max_response, http.max_requests, http.ca),
        (1 << 20, 64, None)
    );
}

#[test]
fn settings_and_authorities() {
    let folder = Folder::toml(&policy(
        "grant = ['http']\n[policy.http]\nhosts = ['x']\ntimeout = '30s'\nmax_response = 1\n\
         max_requests = 4096\nca = 'ca.pem'",
    ))
    .file("ca.pem", "first");
    let http = |folder: &Folder| folder.config().policies[0].http.clone().unwrap();
    let first = http(&folder);
    assert_eq!(first.timeout, Duration::from_secs(30));
    assert_eq!((first.max_response, first.max_requests), (1, 4096));
    let ca = first.ca.clone().unwrap();
    assert_eq!((ca.path, &*ca.pem), (folder.path("ca.pem"), &b"first"[..]));
    // Another authority is another setting.
    let folder = folder.file("ca.pem", "second");
    assert_ne!(http(&folder), first);
}

#[test]
fn mistakes() {
    let wrong = |keys: &str, expected: &str| {
        check(
            &policy(keys),
            &format!("policy[0].http.{expected}").replace("(a)", "(policy `a`)"),
        );
    };
    wrong(
        "grant = ['http']",
        "hosts (a): is missing, and `grant` holds `http`; expected a list of hosts",
    );
    wrong(
        "http.hosts = ['x']",
        "hosts (a): the value takes the capability `http`, which `grant` does not hold",
    );
    let granted = |keys: &str| format!("grant = ['http']\n[policy.http]\n{keys}");
    let with_host = |keys: &str| granted(&format!("hosts = ['x']\n{keys}"));
    wrong(
        &granted("hosts = []"),
        "hosts (a): the value is out of bounds; expected 1 to 64 hosts",
    );
    wrong(
        &granted("hosts = ['x', '*.example.com']"),
        "hosts[1] (a): `*.example.com` is no host; expected a host such as",
    );
    wrong(
        &with_host("timeout = '31s'"),
        "timeout (a): `31s` is out of bounds; expected 1ms to 30s",
    );
    wrong(
        &with_host("max_response = '17MiB'"),
        "max_response (a): `17MiB` is out of bounds; expected 1 to 16MiB",
    );
    wrong(
        &with_host("max_requests = 5000"),
        "max_requests (a): `5000` is too large; expected 1 to 4096",
    );
    wrong(
        &with_host("ca = 'nowhere.pem'"),
        "ca (a): `nowhere.pem` cannot be read: No such file",
    );
    wrong(
        &with_host("host = 1"),
        "host (a): unknown key; did you mean `hosts`?",
    );
    // One mistake is not told twice.
    check(
        &policy("grant = 'http'\nhttp.hosts = ['x']"),
        "policy[0].grant (policy `a`): ",
    );
}

#[test]
fn a_policy_that_was_dropped_in_has_it_too() {
    let folder = Folder::new().file("a.toml", "grant = ['http']\n[http]\nhosts = ['x:8443']");
    let read = drop_in(
        &folder.path("a.wasm"),
        Some(&folder.path("a.toml")),
        &Env::default(),
    );
    let http = read.unwrap().policy.http.unwrap();
    assert_eq!(http.hosts[0].to_string(), "https://x:8443");
}
