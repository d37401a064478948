//! `[[policy]]`: one WebAssembly module and the terms on which it runs.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::ValueKind;

use super::plugins::Plugins;
use super::policy_breaker::PolicyBreaker;
use super::policy_http::PolicyHttp;
use super::section::Section;
use super::setting::{Setting, Size, Wrong, names};
use super::trial::Trial;
use super::trust::Pin;

/// A configured policy. Its order among the others is the order in which they are asked.
#[derive(Clone, PartialEq)]
pub(crate) struct Policy {
    pub name: String,
    /// A file that could be opened, unless every failure is allowed.
    pub module: PathBuf,
    /// The module has to be this one.
    pub sha256: Option<Pin>,
    /// A JSON object, handed to the policy as it is.
    pub config: serde_json::Value,
    pub mode: Mode,
    pub on_error: OnError,
    /// What one call may take.
    pub timeout: Duration,
    /// Bytes that one instance may use.
    pub memory: u64,
    pub grant: Vec<Capability>,
    /// When it is not called because it keeps failing.
    pub breaker: PolicyBreaker,
    /// With the capability `http`, and only then.
    pub http: Option<PolicyHttp>,
    pub trial: Trial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Enforce,
    /// Its verdicts are counted and not followed.
    Shadow,
}

impl Mode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

/// What a policy that fails means for whom it was asked about, by hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnError {
    pub connect: Failure,
    pub event: Failure,
    pub subscribe: Failure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Deny,
    Allow,
}

impl OnError {
    /// Whatever the policy would be asked about is let through without it, so that it may be absent.
    pub(crate) fn is_allow(self) -> bool {
        [self.connect, self.event, self.subscribe] == [Failure::Allow; 3]
    }
}

/// What a policy may be allowed beside its verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Capability {
    Emit,
    Rooms,
    ClusterState,
    Http,
}

names!(Mode, "enforce" => Mode::Enforce, "shadow" => Mode::Shadow);
names!(Failure, "deny" => Failure::Deny, "allow" => Failure::Allow);

const TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(1);
const MEMORIES: std::ops::RangeInclusive<Size> = Size(1 << 20)..=Size(1 << 30);
const LONGEST_NAME: usize = 64;
pub(crate) const NAME: &str = "up to 64 of a-z, 0-9 and -";

/// It is part of metric labels, subjects and file names.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

impl Policy {
    /// Adds its name to `names`, which hold those of the policies before it. `None` means that a problem has been
    /// reported.
    pub(super) fn read(
        s: &mut Section<'_, '_>,
        plugins: &Plugins,
        names: &mut Vec<String>,
    ) -> Option<Self> {
        let name = s.required::<String>(
            "name",
            "chat",
            "What the policy is called in denials, logs and metrics; its state belongs to this name.",
        );
        s.label("policy", "name");
        if let Some(name) = &name {
            if !is_name(name) {
                s.complain("name", "is not a name", Some(NAME));
            } else if names.contains(name) {
                s.complain(
                    "name",
                    "is the name of an earlier policy already",
                    Some("another name"),
                );
            }
            names.push(name.clone());
        }
        let module = module(s, name.as_deref(), plugins);
        let policy = Self::read_terms(s);
        // What may be absent is reported by who would load it.
        let module = module.filter(|path| policy.on_error.is_allow() || opens(s, path));
        Some(Self {
            name: name?,
            module: module?,
            ..policy
        })
    }

    /// The keys that a dropped-in policy has too; its name and module come from elsewhere.
    pub(super) fn read_terms(s: &mut Section<'_, '_>) -> Self {
        let sha256 = s.optional(
            "sha256",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "The digest of the module: another one does not load.",
        );
        let config = s.json(
            "config",
            "The policy's own settings, which it checks itself.",
        );
        let mode = s.get(
            "mode",
            "enforce",
            "With shadow, verdicts are counted and not followed.",
        );
        let (on_error, timeout, memory) = (on_error(s), timeout(s), memory(s));
        let grant = s.valid::<Vec<_>>("grant", "[]", "What the policy may do beside its verdicts.");
        let may_ask = grant.as_ref().map(|it| it.contains(&Capability::Http));
        // Tables inside, so they come last: what is written after them would be their own.
        let breaker = s.table(
            "breaker",
            "When a policy that keeps failing is not called for a while; `on_error` decides instead of it.",
            PolicyBreaker::read,
        );
        let http = s.table(
            "http",
            "Where a policy with the capability `http` may ask, while a client connects.",
            |s| PolicyHttp::read(s, may_ask),
        );
        let trial = s.table(
            "trial",
            "When a new version of the policy is not good enough and taken back by itself.",
            Trial::read,
        );
        Self {
            name: String::new(),
            module: PathBuf::new(),
            sha256,
            config,
            mode,
            on_error,
            timeout,
            memory,
            grant: grant.unwrap_or_default(),
            breaker,
            http,
            trial,
        }
    }
}

fn module(s: &mut Section<'_, '_>, name: Option<&str>, plugins: &Plugins) -> Option<PathBuf> {
    let given = s.optional::<PathBuf>(
        "module",
        "policies/chat.wasm",
        "The component, relative to this file's folder; without it NAME.wasm in plugins.dir.",
    );
    match (given, &plugins.dir, name) {
        (Some(path), _, _) => Some(s.resolve(&path)),
        (None, Some(dir), Some(name)) => Some(dir.join(format!("{name}.wasm"))),
        (None, None, _) if !s.has("module") => {
            s.report(
                "module",
                "is missing, and there is no plugins.dir to look in",
                Some("a path"),
            );
            None
        }
        _ => None,
    }
}

/// Whether there is a module; if not, that is reported.
fn opens(s: &mut Section<'_, '_>, path: &Path) -> bool {
    let opened = File::open(path).and_then(|file| file.metadata());
    let what = match opened {
        Ok(metadata) if metadata.is_file() => return true,
        Ok(_) => "is not a file".to_owned(),
        Err(error) => format!("cannot be opened: {error}"),
    };
    if s.has("module") {
        s.complain("module", &what, Some("a WebAssembly component"));
    } else {
        let hidden = s.hides("plugins.dir") || s.hides(&s.key_of("name"));
        let path = match hidden {
            true => "NAME.wasm in plugins.dir".to_owned(),
            false => format!("`{}`", path.display()),
        };
        let what = format!("is not given, and {path} {what}");
        s.report("module", &what, Some("a WebAssembly component"));
    }
    false
}

fn on_error(s: &mut Section<'_, '_>) -> OnError {
    const DOC: &str = "What happens when the policy fails; or a table of `connect`, `event` and `subscribe`. With deny for any of \
         them, the node does not start without the policy; with allow for all, it starts and tries to load it.";
    let each = [
        ("connect", "For a connection."),
        ("event", "For an event."),
        ("subscribe", "For a room that a client asks to join."),
    ];
    let [connect, event, subscribe] = s.one_or_each("on_error", "deny", DOC, each);
    OnError {
        connect,
        event,
        subscribe,
    }
}

fn timeout(s: &mut Section<'_, '_>) -> Duration {
    s.within(
        "timeout",
        "10ms",
        "The longest that one call may take.",
        (TIMEOUTS, "1ms to 1s"),
    )
}

fn memory(s: &mut Section<'_, '_>) -> u64 {
    let Size(memory) = s.within(
        "memory",
        "16MiB",
        "The most memory that one instance may use.",
        (MEMORIES, "1MiB to 1GiB"),
    );
    memory
}

/// Without the configuration, which may hold secrets.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("module", &self.module)
            .field("sha256", &self.sha256)
            .field("mode", &self.mode)
            .field("on_error", &self.on_error)
            .field("timeout", &self.timeout)
            .field("memory", &self.memory)
            .field("grant", &self.grant)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

impl Capability {
    pub(crate) const ALL: [Self; 4] = [Self::Emit, Self::Rooms, Self::ClusterState, Self::Http];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Emit => "emit",
            Self::Rooms => "rooms",
            Self::ClusterState => "cluster-state",
            Self::Http => "http",
        }
    }
}

impl Setting for Vec<Capability> {
    const EXPECTED: &'static str = r#"a list of "emit", "rooms", "cluster-state" and "http""#;
    const TYPE: &'static str = "list of emit, rooms, cluster-state, http";
    const QUOTED: bool = false;

    fn schema() -> serde_json::Value {
        let names = Capability::ALL.map(Capability::as_str);
        serde_json::json!({ "type": "array", "items": { "enum": names } })
    }

    fn from_text(text: &str) -> Result<Self, Wrong> {
        capabilities(&Vec::from_text(text)?)
    }

    fn from_value(value: &ValueKind) -> Result<Self, Wrong> {
        capabilities(&Vec::from_value(value)?)
    }
}

fn capabilities(names: &[String]) -> Result<Vec<Capability>, Wrong> {
    let capability = |name: &String| match name.as_str() {
        "emit" => Ok(Capability::Emit),
        "rooms" => Ok(Capability::Rooms),
        "cluster-state" => Ok(Capability::ClusterState),
        "http" => Ok(Capability::Http),
        _ => Err(Wrong::new("holds something else")),
    };
    names.iter().map(capability).collect()
}
