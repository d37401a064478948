//! The least client of the admin API: one request, one connection, no retries.

#[cfg(test)]
mod tests;
mod tls;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::cli::Exit;
use tls::{Secure, Trust, Wire};

/// Longer than the node takes to say that it took too long.
const PATIENCE: Duration = Duration::from_secs(70);

/// More than any answer has: one that goes on without end is no answer.
const MAX_ANSWER: usize = 64 << 20;

/// Which node to ask, and by what right.
#[derive(clap::Args)]
pub(super) struct Admin {
    /// The node's admin listener: an address, or a URL that begins with http:// or https://
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS",
        env = "SLUICE_ADMIN__LISTEN",
        default_value = "127.0.0.1:9090"
    )]
    admin: String,
    /// The admin listener's token
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "SLUICE_ADMIN__TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    #[command(flatten)]
    trust: Trust,
}

impl Admin {
    pub(super) fn client(&self) -> Result<Client, Exit> {
        Client::new(&self.admin, self.token.as_deref(), &self.trust)
    }
}

/// A node to ask, and the form in which its answer is wanted.
#[derive(Debug, clap::Args)]
pub(super) struct Asking {
    /// Print what the node answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    node: Admin,
}

impl Asking {
    pub(super) fn client(&self) -> Result<Client, Exit> {
        self.node.client()
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// What to print of an answer.
    pub(super) fn shown(&self, answer: &Value, table: impl Fn(&Value) -> String) -> String {
        match self.json {
            true => format!("{answer:#}\n"),
            false => table(answer),
        }
    }
}

/// A query of what is given.
pub(super) fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => query,
        query => format!("?{query}"),
    }
}

/// Something that was typed, as a piece of a path.
pub(super) fn piece(text: &str) -> String {
    // A space is written as `+` there, which in a path is one.
    let piece: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    piece.replace('+', "%20")
}

/// Without the token.
impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

pub(super) struct Client {
    /// Host and port.
    authority: String,
    token: Option<String>,
    /// `None`: in plain text.
    secure: Option<Secure>,
}

impl Client {
    /// `admin` is an address, or a URL without a path.
    fn new(admin: &str, token: Option<&str>, trust: &Trust) -> Result<Self, Exit> {
        let behind_https = admin.strip_prefix("https://");
        let plain = || admin.strip_prefix("http://").unwrap_or(admin);
        let authority = behind_https.unwrap_or_else(plain);
        let authority = authority.trim_end_matches('/');
        let parsed = authority.parse::<http::uri::Authority>().ok();
        let Some(parsed) = parsed.filter(|it| it.port_u16().is_some()) else {
            return Err(Exit::Usage(format!(
                "`{admin}` is not the address of an admin listener; expected HOST:PORT, http://HOST:PORT or https://HOST:PORT"
            )));
        };
        if behind_https.is_none() && trust.is_given() {
            let what =
                "certificates are of no use without https://: write `--admin https://HOST:PORT`";
            return Err(Exit::Usage(what.to_owned()));
        }
        let secure = behind_https.map(|_| trust.secure(parsed.host()));
        Ok(Self {
            authority: authority.to_owned(),
            token: token.map(str::to_owned),
            secure: secure.transpose()?,
        })
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Exit> {
        self.call(Method::GET, path, &[], Vec::new())
    }

    pub(super) fn post(&self, path: &str) -> Result<Value, Exit> {
        self.call(Method::POST, path, &[], Vec::new())
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, Exit> {
        self.call(Method::DELETE, path, &[], Vec::new())
    }

    pub(super) fn post_json(&self, path: &str, body: &Value) -> Result<Value, Exit> {
        let headers = [("content-type", "application/json")];
        self.call(Method::POST, path, &headers, body.to_string().into_bytes())
    }

    /// The JSON that is answered with whichever status, such as a probe's.
    pub(super) fn look(&self, path: &str) -> Result<Value, Exit> {
        self.wait(in_time(async {
            let (response, connection) = self.send(Method::GET, path, &[], Vec::new()).await?;
            let answer = json(response).await;
            connection.abort();
            Ok(answer?.1)
        }))
    }

    /// Asks whether this token may change anything, before something large is sent: a node that refuses it does not read
    /// it, and what it answers can be lost with the connection.
    pub(super) fn may_write(&self) -> Result<(), Exit> {
        let token = self.get("/api/v1/token")?;
        if token["scope"] != "read" {
            return Ok(());
        }
        let refused = Refused {
            code: "insufficient_scope".to_owned(),
            detail: "the token may look, and not change anything".to_owned(),
            hint: self.hint(StatusCode::FORBIDDEN),
        };
        Err(self.failed(refused.into()))
    }

    pub(super) fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Value, Exit> {
        self.wait(in_time(self.ask(method, path, headers, body)))
    }

    /// Posts JSON, and writes out what is answered as it comes, for as long as it comes.
    pub(super) fn stream(&self, path: &str, body: &Value, out: &mut dyn Write) -> Result<(), Exit> {
        self.wait(async {
            let headers = [("content-type", "application/json")];
            let body = body.to_string().into_bytes();
            let asking = self.send(Method::POST, path, &headers, body);
            let (response, connection) = in_time(asking).await?;
            if !response.status().is_success() {
                return in_time(self.answer(response)).await.map(|_| ());
            }
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame?.into_data() {
                    out.write_all(&data)?;
                    out.flush()?;
                }
            }
            connection.abort();
            Ok(())
        })
    }

    fn wait<T>(&self, asking: impl Future<Output = anyhow::Result<T>>) -> Result<T, Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Exit::Failed(error.into()))?;
        let answer = runtime.block_on(asking);
        answer.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: anyhow::Error) -> Exit {
        let elsewhere = elsewhere(&error);
        let at = format!("the admin listener at {}{elsewhere}", self.authority);
        Exit::Failed(error.context(at))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Value> {
        let (response, connection) = self.send(method, path, headers, body).await?;
        let answer = self.answer(response).await;
        connection.abort();
        answer
    }

    async fn answer(&self, response: Response<Incoming>) -> anyhow::Result<Value> {
        let (status, answer) = json(response).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        let (Some(detail), Some(code)) = (text("detail"), text("code")) else {
            bail!("answered {status} without a problem: it is no admin listener of sluice");
        };
        let field = text("field").map(|field| format!("{field}: "));
        bail!(Refused {
            code,
            detail: field.unwrap_or_default() + &detail,
            hint: self.hint(status),
        })
    }

    /// What to do about it here.
    fn hint(&self, status: StatusCode) -> &'static str {
        match (status, &self.token) {
            (StatusCode::UNAUTHORIZED, None) => {
                ": give the node's token with `--token` or SLUICE_ADMIN__TOKEN"
            }
            (StatusCode::UNAUTHORIZED, Some(_)) => {
                ": it came from `--token` or SLUICE_ADMIN__TOKEN"
            }
            (StatusCode::FORBIDDEN, Some(_)) => {
                ": `--token` or SLUICE_ADMIN__TOKEN has to give one with the scope `write`"
            }
            _ => "",
        }
    }

    /// The head of the answer, and the task that reads on.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<(Response<Incoming>, JoinHandle<hyper::Result<()>>)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_LENGTH, body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let stream = TcpStream::connect(&self.authority).await?;
        let stream: Box<dyn Wire> = match &self.secure {
            None => Box::new(stream),
            Some(secure) => secure.connect(stream).await?,
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the request.
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        Ok((response, connection))
    }
}

/// Where nobody listens, somebody may listen elsewhere.
fn elsewhere(error: &anyhow::Error) -> &'static str {
    let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match io {
        Some(io::ErrorKind::ConnectionRefused) => {
            ", where nobody listens (`--admin` or SLUICE_ADMIN__LISTEN names another)"
        }
        _ => "",
    }
}

async fn in_time<T>(asking: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.map_err(|_| anyhow!("no answer within {} s", PATIENCE.as_secs()))?
}

/// The status, and the JSON that comes with it.
async fn json(response: Response<Incoming>) -> anyhow::Result<(StatusCode, Value)> {
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER);
    let body = body.collect().await.map_err(|error| anyhow!("{error}"))?;
    let answer = serde_json::from_slice(&body.to_bytes()).ok();
    let answer = answer.with_context(|| {
        format!("answered {status} and no JSON: it is no admin listener of sluice")
    })?;
    Ok((status, answer))
}

/// The node is there, and does not do it.
#[derive(Debug, thiserror::Error)]
#[error("{detail} ({code}){hint}")]
pub(super) struct Refused {
    pub code: String,
    detail: String,
    hint: &'static str,
}

/// Nobody listens there any more: the connection was refused, or ended instead of an answer.
pub(super) fn is_gone(error: &Exit) -> bool {
    let Exit::Failed(error) = error else {
        return false;
    };
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let http = cause.downcast_ref::<hyper::Error>();
        let cut = [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::UnexpectedEof,
        ];
        io.is_some_and(|kind| cut.contains(&kind))
            || http
                .is_some_and(|it| it.is_incomplete_message() || it.is_closed() || it.is_canceled())
    })
}
