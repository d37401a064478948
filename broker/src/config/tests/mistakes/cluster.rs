//! Of the cluster.

use super::*;

#[test]
fn the_cluster() {
    let wrong = |keys: &str, expected: &str| {
        check(
            &format!("[cluster]\n{keys}"),
            &format!("cluster.{expected}"),
        );
    };
    wrong(
        "nats_url = \"http://x\"",
        "nats_url: `http://x` holds something that is no such URL; expected a URL such as \
         `nats://127.0.0.1:4222` or `tls://nats.example.com`, or a list of such",
    );
    wrong(
        "name = \"a.b\"",
        "name: `a.b` is no such name; expected 1 to 64 of A–Z a–z 0–9 _ -",
    );
    wrong(
        "user = \"u\"\npassword = \"p\"\ntoken = \"t\"",
        "token: is a second way to log in, beside `user`",
    );
    wrong("user = \"u\"", "password: is missing beside `user`");
    wrong(
        "[cluster.tls]\ncert = \"c.pem\"",
        "tls.key: is missing beside `cert`",
    );
    wrong(
        "heartbeat = \"1s\"\nnode_timeout = \"1s\"",
        "node_timeout: `1s` is out of bounds; expected twice `heartbeat` to 10min",
    );
    wrong(
        "max_rooms = 0",
        "max_rooms: `0` is too small; expected a whole number of at least 1",
    );
    wrong(
        "partition = \"half\"",
        "partition: `half` is not one of them; expected `divide` or `full`",
    );
    wrong(
        "missing_timeout = \"1h\"",
        "missing_timeout: `1h` is out of bounds; expected 0s to 10min",
    );
}
