//! The protocol library on one reactor, once for each parser: it reads packets with the one that it was built with.
//! Rooms and sessions are the broker's own, so that whoever is in them hears from all, whichever way they speak.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Settings;
use super::link::Links;
use super::parser::Parser;
use super::socketio::Protocol;
use crate::fanout::Home;
use crate::pipeline::Pipelines;
use crate::session::Broker;

pub(super) struct Protocols {
    text: Protocol,
    msgpack: Protocol,
}

impl Protocols {
    /// `tokens` counts the sockets of all reactors.
    pub(super) fn new(
        settings: &Arc<Settings>,
        broker: &Arc<Broker>,
        home: &Home,
        links: &Arc<Links>,
        tokens: &Arc<AtomicU64>,
    ) -> Self {
        let of = |parser| {
            let (broker, home, tokens) = (broker.clone(), home.clone(), tokens.clone());
            Protocol::new(settings, parser, broker, home, links.clone(), tokens)
        };
        Self {
            text: of(Parser::Text),
            msgpack: of(Parser::Msgpack),
        }
    }

    pub(super) fn of(&self, parser: Parser) -> &Protocol {
        match parser {
            Parser::Text => &self.text,
            Parser::Msgpack => &self.msgpack,
        }
    }

    /// Brings the namespaces in line with the pipelines.
    pub(super) fn serve(&self, pipelines: &Pipelines) {
        self.text.serve(pipelines);
        self.msgpack.serve(pipelines);
    }

    /// Ends a polling session. False: it was over already.
    pub(super) async fn close_polled(&self, sid: &str) -> bool {
        // Where it is not, nothing happens.
        self.text.close_polled(sid).await || self.msgpack.close_polled(sid).await
    }

    /// Closes every connection that is left.
    pub(super) async fn close(&self) {
        self.text.close().await;
        self.msgpack.close().await;
    }
}
