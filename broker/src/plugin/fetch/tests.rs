//! Against real servers on this machine.

mod server;

use std::sync::atomic::Ordering;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use self::server::Server;
use super::*;
use crate::config::{Env, Loaded};

fn fetchers() -> Fetchers {
    Fetchers::new(Some(Handle::current()))
}

fn settings(hosts: &[&str], keys: &str) -> PolicyHttp {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sluice.toml");
    std::fs::write(dir.path().join("p.wasm"), "").unwrap();
    let text = format!(
        "[[policy]]\nname = 'p'\nmodule = 'p.wasm'\ngrant = ['http']\n[policy.http]\nhosts = {hosts:?}\n{keys}"
    );
    std::fs::write(&file, text).unwrap();
    let Loaded { config, .. } = crate::config::load(Some(&file), Env::default()).unwrap();
    config.policies[0].http.clone().unwrap()
}

fn get(url: String) -> Request {
    Request {
        method: "GET".to_owned(),
        url,
        ..Request::default()
    }
}

/// Of an answer, its body.
fn text(answer: Answer) -> String {
    String::from_utf8(answer.unwrap().body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_and_its_answer() {
    let server = Server::plain().await;
    let asker = server.asker("");
    let answer = asker
        .fetch(Request {
            method: "POST".to_owned(),
            url: server.at("/echo"),
            headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
            body: b"hello".to_vec(),
            ..Request::default()
        })
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    let header = |name: &str| answer.headers.iter().find(|(it, _)| it == name);
    assert!(header("date").is_some() && header("content-length").is_none());
    let seen = text(Ok(answer.clone()));
    for part in ["POST", "\"sluice/", "text/plain", "127.0.0.1:", "\nhello"] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
    // A failure and a redirect are answers as well.
    let broken = asker.fetch(get(server.at("/broken"))).await.unwrap();
    assert_eq!(broken.status, 500);
    let moved = asker.fetch(get(server.at("/moved"))).await.unwrap();
    assert_eq!(moved.status, 302);
    // One connection for all.
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_host_may_be_a_name_or_an_address_of_either_kind() {
    let server = Server::plain().await;
    let name = format!("http://localhost:{}", server.port);
    let asker = fetchers().of("p", &settings(&[&name], "")).unwrap();
    assert_eq!(text(asker.fetch(get(format!("{name}/"))).await), "1");
    let server = Server::start("::1", None).await;
    let address = format!("http://[::1]:{}", server.port);
    let asker = fetchers().of("p", &settings(&[&address], "")).unwrap();
    let again = address.replace("::1", "0:0:0::1");
    assert_eq!(text(asker.fetch(get(again)).await), "1");
}

#[tokio::test]
async fn what_may_not_be_asked() {
    let server = Server::plain().await;
    let asker = server.asker("");
    let refused = async |request: Request, expected: &str| {
        let Err(FetchError::Refused(reason)) = asker.fetch(request).await else {
            panic!("not refused: {expected}");
        };
        assert!(reason.contains(expected), "{expected} is not in {reason}");
    };
    let (here, port) = (server.at("/"), server.port);
    refused(
        get("http://127.0.0.2/".to_owned()),
        "http://127.0.0.2:80 is not listed",
    )
    .await;
    refused(get(format!("http://127.0.0.1:{}/", port ^ 1)), "not listed").await;
    refused(get(format!("https://127.0.0.1:{port}/")), "not listed").await;
    refused(get(format!("http://u:p@127.0.0.1:{port}/")), "of the form").await;
    refused(
        get(format!("http://127.0.0.1:{port}@evil.example/")),
        "of the form",
    )
    .await;
    refused(get("/".to_owned()), "of the form").await;
    refused(get(String::new()), "of the form").await;
    refused(get(here.clone() + "#x"), "fragment").await;
    refused(get(here.clone() + &"x".repeat(9000)), "8192 bytes").await;
    let with = |method: &str, headers: &[(&str, &str)], body: usize| Request {
        method: method.to_owned(),
        url: here.clone(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: vec![b'x'; body],
        ..Request::default()
    };
    for method in ["", "get", "CONNECT", "TRACE", "GET /\r\n"] {
        refused(with(method, &[], 0), "its method").await;
    }
    refused(with("GET", &[], 1), "a GET has no body").await;
    refused(with("POST", &[], 256 << 10), "262144 bytes").await;
    for name in [
        "Host",
        "content-length",
        "Connection",
        "Transfer-Encoding",
        "keep-alive",
    ] {
        refused(with("POST", &[(name, "x")], 0), "is the broker's").await;
    }
    refused(with("GET", &[("a b", "x")], 0), "name of header 0").await;
    refused(
        with("GET", &[("a", "x\r\nHost: y")], 0),
        "value of the header `a`",
    )
    .await;
    refused(with("GET", &[("a", "b"); 65], 0), "64 headers").await;
    refused(
        with("GET", &[("a", &"x".repeat(33 << 10))], 0),
        "32768 bytes",
    )
    .await;
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
    let nowhere = Fetchers::new(None).of("p", &settings(&[&server.at("")], ""));
    let answer = nowhere.unwrap().fetch(get(here)).await;
    assert!(matches!(answer, Err(FetchError::Refused(_))));
}

#[tokio::test]
async fn an_answer_has_a_deadline_to_its_end() {
    let server = Server::plain().await;
    let asker = server.asker("timeout = '50ms'");
    for path in ["/hang", "/stall"] {
        assert_eq!(
            asker.fetch(get(server.at(path))).await,
            Err(FetchError::Timeout)
        );
        server.given_up.notified().await;
    }
    // A policy may want it sooner.
    let asker = server.asker("timeout = '30s'");
    let sooner = Request {
        timeout_ms: 50,
        max_age_ms: 1000,
        ..get(server.at("/hang"))
    };
    assert_eq!(asker.fetch(sooner).await, Err(FetchError::Timeout));
}

#[tokio::test]
async fn an_answer_has_a_size() {
    let server = Server::plain().await;
    let asker = server.asker("max_response = 999");
    for path in ["/big", "/chunks", "/big-head"] {
        let answer = asker.fetch(get(server.at(path))).await;
        assert_eq!(answer, Err(FetchError::TooLarge), "{path}");
    }
    let asker = server.asker("max_response = 1000");
    for path in ["/big", "/chunks"] {
        assert_eq!(text(asker.fetch(get(server.at(path))).await).len(), 1000);
    }
}

#[tokio::test]
async fn nobody_is_there() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let asker = fetchers().of("p", &settings(&[&url], "")).unwrap();
    let Err(FetchError::Failed(reason)) = asker.fetch(get(url)).await else {
        panic!("an answer");
    };
    assert!(reason.contains("refused"), "{reason}");
}

fn young(url: String) -> Request {
    Request {
        max_age_ms: 60_000,
        ..get(url)
    }
}

#[tokio::test]
async fn an_answer_that_is_young_enough_will_do_again() {
    let server = Server::plain().await;
    let asker = server.asker("");
    let ask = async |request: Request| text(asker.fetch(request).await);
    assert_eq!(ask(young(server.at("/a"))).await, "1");
    assert_eq!(ask(young(server.at("/a"))).await, "1");
    // Another address, and other headers.
    assert_eq!(ask(young(server.at("/b"))).await, "2");
    let with_header = Request {
        headers: vec![("authorization".to_owned(), "x".to_owned())],
        ..young(server.at("/a"))
    };
    assert_eq!(ask(with_header.clone()).await, "3");
    assert_eq!(ask(with_header).await, "3");
    // Asked in any case, and then known to the others.
    assert_eq!(ask(get(server.at("/a"))).await, "4");
    assert_eq!(ask(young(server.at("/a"))).await, "4");
    // Only a GET, and only a yes.
    let post = Request {
        method: "POST".to_owned(),
        ..young(server.at("/a"))
    };
    assert_eq!(ask(post.clone()).await, "5");
    assert_eq!(ask(post).await, "6");
    assert_eq!(ask(young(server.at("/broken"))).await, "7");
    assert_eq!(ask(young(server.at("/broken"))).await, "8");
}

#[tokio::test]
async fn equal_requests_at_once_share_an_answer() {
    let server = Server::plain().await;
    let asker = server.asker("max_requests = 1");
    // Whoever asks first may go away.
    let first = {
        let (asker, request) = (asker.clone(), young(server.at("/gate")));
        tokio::spawn(async move { asker.fetch(request).await })
    };
    while server.requests() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    let others = (0..10).map(|_| asker.fetch(young(server.at("/gate"))));
    let others = futures_util::future::join_all(others);
    let (answers, ()) = tokio::join!(others, async {
        tokio::task::yield_now().await;
        server.gate.notify_one();
    });
    for answer in answers {
        assert_eq!(text(answer), "1");
    }
    assert_eq!(server.requests(), 1);
    assert_eq!(asker.in_flight.available_permits(), 1);
}

#[tokio::test]
async fn no_more_requests_than_the_operator_allows() {
    let server = Server::plain().await;
    let asker = server.asker("max_requests = 2");
    let gates = [get(server.at("/gate")), young(server.at("/gate"))];
    let waiting = futures_util::future::join_all(gates.map(|gate| asker.fetch(gate)));
    let busy = async {
        while server.requests() < 2 {
            tokio::task::yield_now().await;
        }
        for one_more in [get(server.at("/")), young(server.at("/"))] {
            assert_eq!(asker.fetch(one_more).await, Err(FetchError::Busy));
        }
        server.gate.notify_one();
        server.gate.notify_one();
    };
    let (answers, ()) = tokio::join!(waiting, busy);
    assert!(answers.iter().all(Result::is_ok));
    assert!(asker.fetch(get(server.at("/"))).await.is_ok());
}

#[tokio::test]
async fn who_goes_away_gives_the_request_up() {
    let server = Server::plain().await;
    let asker = server.asker("timeout = '30s'\nmax_requests = 1");
    let fetch = asker.fetch(get(server.at("/hang")));
    tokio::select! {
        _ = fetch => panic!("an answer"),
        () = async { while server.requests() == 0 { tokio::task::yield_now().await } } => {}
    }
    server.given_up.notified().await;
    assert_eq!(asker.in_flight.available_permits(), 1);
}

#[tokio::test]
async fn a_policy_that_is_made_again_finds_what_it_had() {
    let fetchers = fetchers();
    let one = settings(&["http://x"], "");
    let first = fetchers.of("p", &one).unwrap();
    assert!(Arc::ptr_eq(&first, &fetchers.of("p", &one).unwrap()));
    let other = fetchers.of("q", &one).unwrap();
    let changed = fetchers.of("p", &settings(&["http://x"], "timeout = '1s'"));
    assert!(!Arc::ptr_eq(&first, &other) && !Arc::ptr_eq(&first, &changed.unwrap()));
    drop((first, other));
    assert!(fetchers.of("r", &one).is_ok());
    assert_eq!(fetchers.known.lock().len(), 1);
}

/// An authority of our own, as PEM, and a server that it vouches for under `name`.
async fn trusted(name: &str) -> (String, Server) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    (authority.pem(), Server::start("127.0.0.1", Some(tls)).await)
}

fn trusting(host: &str, pem: &str) -> PolicyHttp {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    settings(&[host], &format!("ca = {file:?}"))
}

#[tokio::test]
async fn over_tls_whom_an_authority_of_the_operators_vouches_for() {
    let (pem, server) = trusted("localhost").await;
    let host = format!("localhost:{}", server.port);
    let url = format!("https://{host}/");
    let asker = fetchers().of("p", &trusting(&host, &pem)).unwrap();
    assert_eq!(text(asker.fetch(get(url.clone())).await), "1");
    let (other, _) = trusted("localhost").await;
    let asker = fetchers().of("p", &trusting(&host, &other)).unwrap();
    let Err(FetchError::Failed(reason)) = asker.fetch(get(url)).await else {
        panic!("an answer from a server that nobody vouches for");
    };
    assert!(reason.contains("certificate"), "{reason}");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_certificate_has_to_be_for_the_host() {
    let (pem, server) = trusted("other.example").await;
    let host = format!("localhost:{}", server.port);
    let asker = fetchers().of("p", &trusting(&host, &pem)).unwrap();
    let answer = asker.fetch(get(format!("https://{host}/"))).await;
    assert!(matches!(answer, Err(FetchError::Failed(_))), "{answer:?}");
}

#[tokio::test]
async fn a_file_of_authorities_has_to_hold_some() {
    for pem in [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let refused = fetchers().of("p", &trusting("x", pem)).err().unwrap();
        assert!(refused.to_string().contains("`http.ca`"), "{refused}");
    }
}
