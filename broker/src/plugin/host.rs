//! What a policy can see and ask of the broker: the imports of its world, and the limits on its memory.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::ResourceLimiter;

use super::bindings::sluice::policy::{current, limits, log, types};
use super::instance::Overrun;
use crate::event::{Attachments, Client};
use crate::state::{BucketRule, Millis, PolicyState, SubjectKey};
use crate::telemetry::events::{Level, PolicyLog};

/// The two outputs of a guest; the number is the resource's representation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout = 1,
    Stderr = 2,
}

/// Lines a policy may log during one call; what is over is counted in the last line.
const LINES_A_CALL: u32 = 16;

/// The call that is being served.
#[derive(Clone)]
pub(super) struct Current {
    pub client: Arc<Client>,
    pub event: Option<(Arc<str>, Attachments)>,
}

/// The data of one instance's store.
pub(super) struct Host {
    pub policy: Arc<str>,
    pub state: Arc<PolicyState>,
    pub buckets: Arc<[BucketRule]>,
    pub current: Option<Current>,
    pub memory: Memory,
    pub overrun: Overrun,
    lines: u32,
    /// What the guest printed since its last line break.
    printed: [Vec<u8>; 2],
}

impl Host {
    pub(super) fn new(
        policy: Arc<str>,
        state: Arc<PolicyState>,
        buckets: Arc<[BucketRule]>,
        memory: u64,
    ) -> Self {
        Self {
            policy,
            state,
            buckets,
            current: None,
            memory: Memory::new(memory),
            overrun: Overrun::default(),
            lines: 0,
            printed: [Vec::new(), Vec::new()],
        }
    }

    /// For the one call that is made before a module belongs to a policy: `describe`.
    pub(super) fn undescribed(memory: u64) -> Self {
        Self::new(
            Arc::from("describe"),
            Arc::new(PolicyState::default()),
            Arc::new([]),
            memory,
        )
    }

    /// Readies the host for one call.
    pub(super) fn begin(&mut self, current: Option<Current>) {
        self.current = current;
        self.overrun = Overrun::default();
        self.lines = 0;
    }

    /// Ends a call: nothing of it may be seen by the next one.
    pub(super) fn end(&mut self) {
        self.current = None;
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.print(stream, b"\n");
        }
    }

    fn log(&mut self, level: Level, message: &str) {
        self.lines += 1;
        if self.lines > LINES_A_CALL {
            return;
        }
        let message = if self.lines == LINES_A_CALL {
            "more lines than a call may log; the rest is left out"
        } else {
            message
        };
        PolicyLog {
            policy: &self.policy,
            level,
            message,
        }
        .emit();
    }

    /// Takes what the guest wrote to a stream and logs whole lines of it.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) {
        /// A line longer than this is logged in pieces, so that a guest cannot fill the host's memory.
        const LINE: usize = 1024;
        let index = usize::from(stream == Stream::Stderr);
        for &byte in bytes {
            let full = self.printed[index].len() >= LINE;
            if byte == b'\n' || full {
                let line = std::mem::take(&mut self.printed[index]);
                if !line.is_empty() {
                    self.log(Level::Info, &String::from_utf8_lossy(&line));
                }
            }
            if byte != b'\n' {
                self.printed[index].push(byte);
            }
        }
    }

    fn subject(&self, subject: limits::Subject) -> SubjectKey {
        let Some(current) = &self.current else {
            return SubjectKey::Global;
        };
        let client = &current.client;
        match subject {
            limits::Subject::Socket => SubjectKey::Socket(client.peer.token),
            limits::Subject::User => match &client.identity.read().user {
                Some(user) => SubjectKey::User(user.clone()),
                None => SubjectKey::Address(client.peer.address),
            },
            limits::Subject::Address => SubjectKey::Address(client.peer.address),
            limits::Subject::Namespace => SubjectKey::Namespace(client.namespace.clone()),
            limits::Subject::Global => SubjectKey::Global,
        }
    }

    fn client(&self) -> Option<&Client> {
        self.current.as_ref().map(|current| &*current.client)
    }

    fn attachments(&self) -> &[bytes::Bytes] {
        match &self.current {
            Some(Current {
                event: Some((_, attachments)),
                ..
            }) => attachments,
            _ => &[],
        }
    }
}

impl types::Host for Host {}

impl limits::Host for Host {
    fn take(&mut self, bucket: u32, whom: limits::Subject, cost: u32) -> limits::Decision {
        let Some(rule) = self.buckets.get(bucket as usize) else {
            // A number that `interests` did not declare: refused, so that the mistake shows, and the author is told.
            self.log(Level::Error, "take: there is no such bucket");
            return limits::Decision {
                allowed: false,
                remaining: 0,
                retry_after_ms: 0,
            };
        };
        let decision = self
            .state
            .take(rule, &self.subject(whom), cost, Millis::now());
        limits::Decision {
            allowed: decision.allowed,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms,
        }
    }
}

impl current::Host for Host {
    fn now_ms(&mut self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }

    fn event_name(&mut self) -> String {
        match &self.current {
            Some(Current {
                event: Some((name, _)),
                ..
            }) => name.to_string(),
            _ => String::new(),
        }
    }

    fn namespace(&mut self) -> String {
        self.client()
            .map(|client| client.namespace.to_string())
            .unwrap_or_default()
    }

    fn user(&mut self) -> Option<String> {
        let identity = self.client()?.identity.read();
        identity.user.as_ref().map(ToString::to_string)
    }

    fn attribute(&mut self, name: String) -> Option<String> {
        let identity = self.client()?.identity.read();
        identity.attribute(&name).map(ToOwned::to_owned)
    }

    fn address(&mut self) -> String {
        self.client()
            .map(|client| client.peer.address.to_string())
            .unwrap_or_default()
    }

    fn header(&mut self, name: String) -> Option<String> {
        let value = self.client()?.peer.handshake.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    fn query(&mut self, name: String) -> Option<String> {
        form_urlencoded::parse(self.client()?.peer.handshake.query.as_bytes())
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn in_room(&mut self, room: String) -> bool {
        self.client()
            .is_some_and(|client| client.rooms.lock().contains(room.as_str()))
    }

    fn attachment_count(&mut self) -> u32 {
        self.attachments().len() as u32
    }

    fn attachment_len(&mut self, index: u32) -> u32 {
        self.attachments()
            .get(index as usize)
            .map_or(0, |bytes| bytes.len() as u32)
    }

    fn attachment(&mut self, index: u32, offset: u32, max_len: u32) -> Vec<u8> {
        let Some(bytes) = self.attachments().get(index as usize) else {
            return Vec::new();
        };
        let start = (offset as usize).min(bytes.len());
        let end = start.saturating_add(max_len as usize).min(bytes.len());
        bytes[start..end].to_vec()
    }
}

impl log::Host for Host {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        Host::log(self, level, &message);
    }
}

/// The memory of one instance: all its linear memories and tables together stay below the limit.
pub(super) struct Memory {
    limit: usize,
    used: usize,
    /// A growth was refused: what traps afterwards, traps for want of memory.
    pub refused: bool,
}

impl Memory {
    fn new(limit: u64) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: 0,
            refused: false,
        }
    }

    fn grow(&mut self, by: usize) -> bool {
        match self.used.checked_add(by) {
            Some(used) if used <= self.limit => {
                self.used = used;
                true
            }
            _ => {
                self.refused = true;
                false
            }
        }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = desired.saturating_sub(current);
        Ok(self.grow(elements.saturating_mul(size_of::<usize>())))
    }

    // A component is several core instances; no honest one needs more than this.
    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}
