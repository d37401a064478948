//! The only place that knows socketioxide: sessions are made here, and packets leave here.
//!
//! Handlers are implemented by hand and not as closures, because the library spawns a task for each call of an
//! asynchronous closure, and events would overtake each other. A handler of our own runs inside the reader, in
//! order, with the raw payload.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use engineioxide::service::NotFoundService;
use http::Request;
use http_body_util::Full;
use hyper::service::Service as _;
use socketioxide::handler::{ConnectHandler, DisconnectHandler};
use socketioxide::service::SocketIoService;
use socketioxide::socket::{DisconnectReason as Reason, Socket};
use socketioxide::{ParserConfig, SocketIo, TransportType};
use socketioxide_core::Value;

use super::Settings;
use super::acks::LONGEST_MARK;
use super::adapter::{Adapter, Local};
use super::entry::Entry;
use super::events::{self, Events};
use super::handshake;
use super::lane::Bounds;
use super::link::Links;
use super::manners::MAX_ATTACHMENTS;
use super::namespaces::Namespaces;
use super::outlet::SocketOutlet;
use super::parser::Parser;
use super::wire;
use crate::event::{Client, Code, Denial, Peer, SocketName};
use crate::fanout::Home;
use crate::fanout::nodes::TAG;
use crate::packet::msgpack::Limits;
use crate::pipeline::Pipelines;
use crate::plugin::DisconnectReason;
use crate::session::{Broker, Refusal, Session, admit};
use crate::telemetry::metrics::EndReason;

pub(super) type Service = SocketIoService<NotFoundService, Adapter>;

/// How long the attachments of an event may take to arrive.
const ATTACHMENTS_TIMEOUT: Duration = Duration::from_secs(30);

/// The library's buffer for what it reads of a WebSocket; each connection has one, and the stream has its own. A size that the
/// allocator has, with the bytes that it adds.
const READ_BUFFER: usize = 240;

/// The library with its namespaces: one for each reactor, so that nothing of a connection is shared with another.
pub(super) struct Protocol {
    pub service: Service,
    path: String,
    io: SocketIo<Adapter>,
    namespaces: Arc<Namespaces>,
    door: Door,
}

impl Protocol {
    /// `tokens` counts the sockets of all reactors.
    pub(super) fn new(
        settings: &Arc<Settings>,
        parser: Parser,
        broker: Arc<Broker>,
        home: Home,
        links: Arc<Links>,
        tokens: Arc<AtomicU64>,
    ) -> Self {
        let config = settings.load();
        let namespaces = Arc::new(Namespaces::default());
        let payload = usize::try_from(config.max_payload).unwrap_or(usize::MAX);
        let text = ParserConfig::common()
            .max_incoming_binaries(MAX_ATTACHMENTS)
            .max_incoming_binary_buf_size(payload)
            .packet_completion_timeout(ATTACHMENTS_TIMEOUT);
        let builder = SocketIo::builder()
            .req_path(config.path.clone())
            .ping_interval(config.ping_interval)
            .ping_timeout(config.ping_timeout)
            .upgrade_timeout(config.upgrade_timeout)
            .connect_timeout(config.connect_timeout)
            .max_buffer_size(config.slow_client.max_queued_messages)
            // The library bounds the two transports apart.
            .max_payload(config.max_payload)
            .ws_max_message_size(payload + LONGEST_MARK)
            .ws_max_frame_size(payload + LONGEST_MARK)
            .ws_read_buffer_size(READ_BUFFER);
        let builder = match parser {
            Parser::Text => builder.with_parser(text),
            Parser::Msgpack => builder.with_parser(ParserConfig::msgpack()),
        };
        let builder = match (config.transports.polling, config.transports.websocket) {
            (true, false) => builder.transports([TransportType::Polling]),
            (false, true) => builder.transports([TransportType::Websocket]),
            _ => builder.transports([TransportType::Polling, TransportType::Websocket]),
        };
        let (service, io) = builder
            .with_adapter::<Adapter>(namespaces.clone())
            .build_svc();
        namespaces.belong_to(io.clone());
        let door = Door(Arc::new(Entrance {
            broker,
            home,
            links,
            namespaces: namespaces.clone(),
            tokens,
            settings: settings.clone(),
            limits: Limits {
                attachments: MAX_ATTACHMENTS,
                text: payload,
            },
        }));
        // Whether a namespace exists is decided by the pipelines of the moment, so that a reload can change it: the
        // library is given a pattern for everything.
        for pattern in ["/", "/{*rest}"] {
            if let Err(error) = io.dyn_ns(pattern, door.clone()) {
                // The two constants stand in no conflict; should a later version of the library think otherwise,
                // clients are told that there is no such namespace.
                tracing::error!(pattern, %error, "namespace pattern refused");
            }
        }
        Self {
            service,
            path: config.path.trim_end_matches('/').to_owned(),
            io,
            namespaces,
            door,
        }
    }

    /// Brings the library's namespaces in line with the pipelines. Those with a fixed name are made at once, and stay;
    /// sockets of those that are gone are told so.
    pub(super) fn serve(&self, pipelines: &Pipelines) {
        for pipeline in pipelines.all() {
            let path = &pipeline.namespace.path;
            if !pipeline.namespace.is_pattern() && self.namespaces.keep(path) {
                self.io.ns(path.clone(), self.door.clone());
            }
        }
        for path in self.namespaces.paths() {
            if pipelines.at(&path).is_none() {
                self.namespaces.close(&path);
            }
        }
    }

    /// Ends a polling session as if its client had closed it: its handlers run, and the poll that is waiting ends.
    /// False: it was over already.
    pub(super) async fn close_polled(&self, sid: &str) -> bool {
        let address = format!("{}/?EIO=4&transport=polling&sid={sid}", self.path);
        let close = Request::post(address).body(Full::<Bytes>::from(handshake::CLOSE));
        match close {
            Ok(close) => {
                let Ok(answer) = self.service.call(close).await;
                answer.status().is_success()
            }
            // The path and the id come from this server, and make an address.
            Err(_) => false,
        }
    }

    /// Closes every connection that is left, of whichever transport.
    pub(super) async fn close(&self) {
        self.io.close().await;
    }
}

// === impl Door ===

/// Where sockets come in.
#[derive(Clone)]
pub(super) struct Door(Arc<Entrance>);

struct Entrance {
    broker: Arc<Broker>,
    home: Home,
    links: Arc<Links>,
    namespaces: Arc<Namespaces>,
    tokens: Arc<AtomicU64>,
    /// What may wait for one socket.
    settings: Arc<Settings>,
    /// What a packet in msgpack may become.
    limits: Limits,
}

/// The handler traits want a type that tells implementations apart; closures have theirs, these have this.
pub(super) struct ByHand;

type Admission<'a> =
    Pin<Box<dyn Future<Output = Result<(), Box<dyn std::fmt::Display + Send>>> + Send + 'a>>;

impl ConnectHandler<Adapter, ByHand> for Door {
    /// Runs before the client is told that it is connected, so its first event finds every handler in place.
    fn call_middleware<'a>(
        &'a self,
        socket: Arc<Socket<Adapter>>,
        auth: &'a Option<Value>,
    ) -> Admission<'a> {
        Box::pin(async move {
            let admitted = self.0.admit(&socket, auth.as_ref()).await;
            admitted.map_err(|words| Box::new(words) as Box<dyn std::fmt::Display + Send>)
        })
    }

    /// The client has been told.
    fn call(&self, socket: Arc<Socket<Adapter>>, _: Option<Value>) {
        let link = self.0.links.of(socket.req_parts());
        let Some(outlet) = link.and_then(|link| link.outlet(socket.ns())) else {
            return;
        };
        if !self.0.namespaces.holds(&outlet) {
            // Its namespace was taken away between its CONNECT and now. It comes back and finds the new one.
            outlet.kill();
        } else if let Some(session) = outlet.entry.is_in() {
            session.open();
        }
    }
}

impl Door {
    /// What a packet in msgpack may become.
    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }
}

/// What the library is given to send as the message of a `connect_error`.
type Words = String;

impl Entrance {
    /// For a socket that comes in now.
    fn bounds(&self) -> Bounds {
        let bounds = &self.settings.load().slow_client;
        Bounds {
            bytes: u32::try_from(bounds.max_queued_bytes).unwrap_or(u32::MAX),
            messages: u32::try_from(bounds.max_queued_messages).unwrap_or(u32::MAX),
        }
    }

    async fn admit(
        self: &Arc<Self>,
        socket: &Arc<Socket<Adapter>>,
        auth: Option<&Value>,
    ) -> Result<(), Words> {
        let Some(link) = self.links.of(socket.req_parts()) else {
            // Its WebSocket has ended.
            return Err("Invalid namespace".to_owned());
        };
        let Some(held) = self.namespaces.hold(socket.ns()) else {
            // Taken away, with its last socket, since this one asked for it. Where it is served, the client comes back
            // and finds a new one.
            if self.broker.pipelines.load().at(socket.ns()).is_some() {
                link.kill();
            }
            return Err("Invalid namespace".to_owned());
        };
        let (name, local) = (held.name.clone(), held.local.clone());
        let Some(entry) = Entry::new(link.clone(), held) else {
            let denial = Denial::broker(Code::Overloaded, "in too many namespaces already");
            return Err(wire::words(&denial.message, &denial));
        };
        tokio::select! {
            // Almost always done at once.
            biased;
            admitted = self.admit_to(socket, auth, (name, local), entry) => admitted,
            // Nobody hears it.
            () = link.gone() => Err("gone".to_owned()),
        }
    }

    async fn admit_to(
        self: &Arc<Self>,
        socket: &Arc<Socket<Adapter>>,
        auth: Option<&Value>,
        (namespace, local): (Arc<str>, Local),
        entry: Entry,
    ) -> Result<(), Words> {
        let link = &entry.link;
        let client = Arc::new(Client {
            peer: Peer {
                token: self.tokens.fetch_add(1, Ordering::Relaxed),
                name: socket_name(self.broker.fanout.socket_tag()),
                address: link.address,
                handshake: link.handshake.clone(),
            },
            namespace,
            identity: Default::default(),
            rooms: Default::default(),
        });
        let auth = events::auth(auth, self.limits)
            .map_err(|denial| wire::words(&denial.message, &denial))?;
        let welcome = admit(&self.broker, &client, auth.as_deref(), link.trace()).await;
        let welcome = welcome.map_err(|refusal| match refusal {
            Refusal::NoNamespace => "Invalid namespace".to_owned(),
            Refusal::Denied(denial) => wire::words(&denial.message, &denial),
        })?;
        let outlet = Arc::new(SocketOutlet::new(
            socket,
            local,
            entry,
            client.clone(),
            self.bounds(),
        ));
        let session = Arc::new(Session::new(
            self.broker.clone(),
            self.home.clone(),
            client,
            outlet.clone(),
            welcome,
        ));
        outlet.entry.is_of(&session);
        outlet.link().enters(&outlet);
        let door = Door(self.clone());
        socket.on_fallback(Events {
            session: session.clone(),
            outlet: outlet.clone(),
            door: door.clone(),
        });
        socket.on_disconnect(Gone {
            session,
            outlet,
            door,
        });
        Ok(())
    }
}

/// A name for a socket that nobody can guess: the same alphabet and length as the protocol's own ids.
/// Other nodes know by how it begins where it leads.
fn socket_name(tag: Option<[u8; TAG]>) -> SocketName {
    let mut bytes: [u8; 15] = rand::random();
    if let (Some(tag), Some(first)) = (tag, bytes.first_chunk_mut()) {
        *first = tag;
    }
    BASE64_URL_SAFE_NO_PAD.encode(bytes).into()
}

// === impl Gone ===

struct Gone {
    session: Arc<Session>,
    outlet: Arc<SocketOutlet>,
    door: Door,
}

impl DisconnectHandler<Adapter, ByHand> for Gone {
    fn call_with_defer(
        &self,
        socket: Arc<Socket<Adapter>>,
        reason: Reason,
        defer: fn(Arc<Socket<Adapter>>),
    ) {
        let outlet = &self.outlet;
        outlet.report(reason);
        let (reason, words) = outlet.end(reason);
        self.session.close(reason, words);
        outlet.questions.forget();
        outlet.entry.leave();
        outlet.link().left(outlet);
        let path = socket.ns().to_owned();
        defer(socket);
        // Not at once: the library may be holding its list of namespaces while it calls this.
        let namespaces = self.door.0.namespaces.clone();
        tokio::spawn(async move { namespaces.forget(&path) });
    }
}

/// The library's reason in the words of Node's server, and in those of the contract.
pub(super) fn reason(reason: Reason) -> (DisconnectReason, EndReason) {
    match reason {
        Reason::TransportClose => (DisconnectReason::Transport, EndReason::TransportClose),
        Reason::TransportError | Reason::MultipleHttpPollingError => {
            (DisconnectReason::Transport, EndReason::TransportError)
        }
        Reason::PacketParsingError => (DisconnectReason::Transport, EndReason::ParseError),
        Reason::HeartbeatTimeout => (DisconnectReason::Timeout, EndReason::PingTimeout),
        Reason::ClientNSDisconnect => (DisconnectReason::Client, EndReason::ByClient),
        Reason::ServerNSDisconnect => (DisconnectReason::Server, EndReason::ByServer),
        Reason::ClosingServer => (DisconnectReason::Server, EndReason::ShuttingDown),
    }
}
