//! How the broker says who it is to a NATS server, and that the server is the one it means.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer};
use serde_json::{Value, json};
use sluice_tests::{Nats, Setup, eventually};

use super::code;

/// Starts a broker that finds its server.
fn connects(setup: Setup, nats: &Nats) {
    let broker = setup.env("SLUICE_CLUSTER__NATS_URL", &nats.url()).start();
    eventually("a connection", || code(&broker).is_none().then_some(()));
}

/// Starts one that does not get in. It says why, and serves all the same.
fn is_refused(setup: Setup, nats: &Nats, why: &str) {
    let broker = setup.env("SLUICE_CLUSTER__NATS_URL", &nats.url()).start();
    broker.logs.wait("the refusal", |record| {
        let reason = record.field("reason").as_str();
        record.message() == "nats failed" && reason.is_some_and(|it| it.contains(why))
    });
    assert_eq!(code(&broker).as_deref(), Some("nats_disconnected"));
}

#[test]
fn with_a_user_and_a_password() {
    let nats = Nats::start_with(r#"authorization { user: broker, password: "p w" }"#, &[]);
    let user = "[cluster]\nuser = \"broker\"\npassword = \"${SECRET}\"";
    connects(Setup::new(user).env("SECRET", "p w"), &nats);
    is_refused(
        Setup::new(user).env("SECRET", "other"),
        &nats,
        "authorization",
    );
}

#[test]
fn with_a_token() {
    let nats = Nats::start_with("authorization { token: \"t\" }", &[]);
    connects(Setup::new("[cluster]\ntoken = \"t\""), &nats);
}

#[test]
fn with_an_nkey() {
    let key = KeyPair::new_user();
    let users = format!(
        "authorization {{ users: [ {{ nkey: {} }} ] }}",
        key.public_key()
    );
    let nats = Nats::start_with(&users, &[]);
    let seed = key.seed().unwrap();
    connects(Setup::new("").env("SLUICE_CLUSTER__NKEY", &seed), &nats);
}

/// A JWT as NATS wants them, signed by whoever issues it.
fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let claims = encode(&json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "name": name,
        "sub": subject.public_key(), "nats": nats,
    }));
    let signed = format!("{header}.{claims}");
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn with_a_file_of_credentials() {
    let [operator, account, user] = [
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_user(),
    ];
    let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1});
    let operator_jwt = jwt(
        &operator,
        &operator,
        "operator",
        &json!({"type": "operator", "version": 2}),
    );
    let account_claims = json!({"type": "account", "version": 2, "limits": limits});
    let account_jwt = jwt(&operator, &account, "account", &account_claims);
    let user_claims = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let user_jwt = jwt(&account, &user, "broker", &user_claims);
    let config = format!(
        "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload: {{ {}: {account_jwt} }}",
        account.public_key()
    );
    let nats = Nats::start_with(&config, &[]);
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    let setup = Setup::new("[cluster]\ncredentials = \"broker.creds\"");
    connects(setup.file("broker.creds", credentials), &nats);
}

#[test]
fn a_file_of_credentials_that_is_not_there_ends_the_start() {
    let setup =
        Setup::new("[cluster]\nnats_url = \"nats://127.0.0.1:1\"\ncredentials = \"no.creds\"");
    let exited = setup.run(&["run", "--config", "sluice.toml"]);
    assert_ne!(exited.code, Some(0));
    assert!(exited.stderr.contains("no.creds"), "{exited:?}");
}

#[test]
fn over_tls_both_show_who_they_are() {
    let key = || rcgen::KeyPair::generate().unwrap();
    let authority_key = key();
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let certified = |name: &str| {
        let key = key();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let pem = params.signed_by(&key, &issuer).unwrap().pem();
        (pem, key.serialize_pem())
    };
    let (server, server_key) = certified("127.0.0.1");
    let (broker, broker_key) = certified("broker");
    let config =
        "tls { cert_file: server.pem, key_file: server.key, ca_file: ca.pem, verify: true }";
    let files = [
        ("server.pem", &*server),
        ("server.key", &server_key),
        ("ca.pem", &authority_pem),
    ];
    let nats = Nats::start_with(config, &files);
    let tls = "[cluster.tls]\nca = \"ca.pem\"";
    let setup = |keys: &str| {
        Setup::new(&format!("{tls}\n{keys}"))
            .file("ca.pem", &authority_pem)
            .file("broker.pem", &broker)
            .file("broker.key", &broker_key)
    };
    connects(setup("cert = \"broker.pem\"\nkey = \"broker.key\""), &nats);
    // Without a certificate of its own, and one that does not trust the server.
    let broker = setup("")
        .env("SLUICE_CLUSTER__NATS_URL", &nats.url())
        .start();
    assert_eq!(code(&broker).as_deref(), Some("nats_disconnected"));
    let distrusting = Setup::new("")
        .env("SLUICE_CLUSTER__NATS_URL", &nats.url())
        .start();
    assert_eq!(code(&distrusting).as_deref(), Some("nats_disconnected"));
}
