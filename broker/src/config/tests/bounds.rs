//! Numbers that would be wrong only later, when the process runs.

use super::mistakes::check;
use super::*;

#[test]
fn a_collector_has_a_while_to_answer() {
    for wrong in ["0s", "99ms", "61s"] {
        check(
            &format!("[telemetry]\notlp_timeout = \"{wrong}\""),
            &format!("telemetry.otlp_timeout: `{wrong}` is out of bounds; expected 100ms to 60s"),
        );
    }
}

#[test]
fn numbers_that_are_too_large() {
    let server = |key: &str, value: &str, expected: &str| {
        check(
            &format!("[server]\n{key} = {value}"),
            &format!("server.{key}: `{}` {expected}", value.trim_matches('"')),
        );
    };
    server("reactors", "1025", "is too large; expected 1 to 1024");
    server(
        "max_connections",
        "10000001",
        "is too large; expected 1 to 10000000",
    );
    server("max_payload", "\"2GiB\"", "is out of bounds");
    server("ping_timeout", "\"25days\"", "is out of bounds; expected");
    server("upgrade_timeout", "\"25days\"", "is out of bounds");
    server("connect_timeout", "\"25days\"", "is out of bounds");
    server("drain_period", "\"25days\"", "is out of bounds");
    server(
        "slow_client.max_queued_messages",
        "1048577",
        "is too large; expected 1 to 1048576",
    );
    server(
        "slow_client.max_queued_messages",
        "9223372036854775807",
        "is too large",
    );
    server(
        "slow_client.max_queued_bytes",
        "65535",
        "is out of bounds; expected 64KiB to 1GiB",
    );
    server(
        "slow_client.max_queued_bytes",
        "\"1025MiB\"",
        "is out of bounds",
    );
    server(
        "compression.threshold",
        "\"2GiB\"",
        "is too large; expected 0 to 1GiB",
    );
    for bits in ["8", "16"] {
        server(
            "compression.window_bits",
            bits,
            "is out of bounds; expected 9 to 15",
        );
    }
    for level in ["0", "10"] {
        server(
            "compression.level",
            level,
            "is out of bounds; expected 1 to 9",
        );
    }
    server(
        "compression.max_memory",
        "\"1KiB\"",
        "is out of bounds; expected 1MiB to 1TiB",
    );
    check(
        "[server]\nping_interval = \"13days\"\nping_timeout = \"12days\"",
        "server.ping_timeout: `12days` is out of bounds with `server.ping_interval`; expected at most",
    );
    let folder = Folder::toml(
        "[server]\nmax_connections = 10000000\nreactors = 1024\nping_interval = \"12days\"\n\
         ping_timeout = \"12days\"\n[server.slow_client]\nmax_queued_messages = 1048576\n\
         max_queued_bytes = \"1GiB\"",
    );
    let slow_client = folder.config().server.slow_client;
    assert_eq!(slow_client.max_queued_messages, 1 << 20);
    assert_eq!(slow_client.max_queued_bytes, 1 << 30);
}

#[test]
fn compression_at_its_bounds() {
    let folder = Folder::toml(
        "[server.compression]\nthreshold = 0\ncontext_takeover = true\nwindow_bits = 9\nlevel = 1\n\
         max_memory = \"1MiB\"",
    );
    let compression = folder.config().server.compression;
    assert_eq!((compression.threshold, compression.window_bits), (0, 9));
    assert_eq!((compression.level, compression.max_memory), (1, 1 << 20));
    assert!(compression.context_takeover && !compression.enabled);
}
