//! `/api/v1/policies`: which policies serve, and changing them. Every change is logged with who asked for it.

mod shown;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

use super::audit::Did;
use super::auth::From as Address;
use super::node::Node;
use super::problem::Problem;
use super::query::{Odd, each_once};
use crate::plugin::{self, WHOLE};
use crate::telemetry::events;
use crate::telemetry::metrics::{ChangeResult, Changed};
pub(crate) use shown::{
    Calls, ChangedPolicy, Compared, Counts, DifferenceInfo, LoadedPolicy, PastGeneration,
    PolicyChange, PolicyChanged, PolicyFailure, PolicyInfo, PolicyRefusal, RefusalKind, Signature,
    Source, TrialEnding, TrialInfo, UploadMode, VerdictInfo,
};

/// The largest module that is taken.
pub(super) const MAX_MODULE: usize = plugin::MAX_MODULE as usize;

/// Modules that are received and compiled at once: each is held in memory as a whole.
const UPLOADS: usize = 2;

/// The header with the signature of a module: its `.minisig` file in base64.
const SIGNATURE: &str = "sluice-signature";

/// Places for modules on their way.
#[derive(Clone)]
pub(super) struct Uploads(pub(super) Arc<Semaphore>);

impl Uploads {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(UPLOADS)))
    }
}

type Shared = State<Arc<dyn Node>>;
pub(super) type Who = Option<Extension<Address>>;

pub(super) async fn list(State(node): Shared) -> Json<Vec<PolicyInfo>> {
    Json(node.policies())
}

pub(super) async fn show(State(node): Shared, Path(name): Path<String>) -> Response {
    let policies = node.policies();
    match policies.into_iter().find(|policy| policy.name == name) {
        Some(policy) => Json(policy).into_response(),
        None => unknown(&name).into_response(),
    }
}

pub(super) async fn upload(
    State(node): Shared,
    Path(policy): Path<String>,
    Extension(uploads): Extension<Uploads>,
    who: Who,
    uri: Uri,
    headers: HeaderMap,
    request: Request,
) -> Response {
    // Until it serves: what waits to be compiled is in memory as well.
    let Ok(_place) = uploads.0.try_acquire() else {
        return busy("as many modules as may be taken at once are on their way already")
            .into_response();
    };
    let change = async {
        let [mode, percent] = query(&uri, ["mode", "percent"])?;
        let mode = upload_mode(mode.as_deref(), percent.as_deref())?;
        let signature = signature(&headers)?;
        let module = Bytes::from_request(request, &()).await;
        let module = module.map_err(unreadable)?;
        Ok::<_, Problem>(PolicyChange::Upload {
            policy,
            module,
            signature,
            mode,
        })
    };
    match change.await {
        Ok(change) => carry_out(&*node, change, who).await,
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn roll_back(
    State(node): Shared,
    Path(policy): Path<String>,
    who: Who,
    uri: Uri,
) -> Response {
    let generation = query(&uri, ["generation"]).and_then(|[generation]| match generation {
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| wrong("generation", "`generation` is the number of a generation")),
        None => Ok(None),
    });
    match generation {
        Ok(generation) => {
            let change = PolicyChange::RollBack { policy, generation };
            carry_out(&*node, change, who).await
        }
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn promote(State(node): Shared, Path(policy): Path<String>, who: Who) -> Response {
    carry_out(&*node, PolicyChange::Promote { policy }, who).await
}

/// Changes for how many sockets a canary decides.
pub(super) async fn set_percent(
    State(node): Shared,
    Path(policy): Path<String>,
    who: Who,
    uri: Uri,
) -> Response {
    let percent = query(&uri, ["percent"]).and_then(|[percent]| read_percent(percent.as_deref()));
    match percent {
        Ok(percent) => carry_out(&*node, PolicyChange::SetPercent { policy, percent }, who).await,
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn reload(State(node): Shared, Path(policy): Path<String>, who: Who) -> Response {
    let policy = Some(policy);
    carry_out(&*node, PolicyChange::Reload { policy }, who).await
}

pub(super) async fn reload_all(State(node): Shared, who: Who) -> Response {
    carry_out(&*node, PolicyChange::Reload { policy: None }, who).await
}

/// Has it done, and says in the log who asked.
async fn carry_out(node: &dyn Node, change: PolicyChange, who: Who) -> Response {
    let (action, policy) = match &change {
        PolicyChange::Reload { policy } => (Changed::Reload, policy.clone()),
        PolicyChange::Upload { policy, .. } => (Changed::Upload, Some(policy.clone())),
        PolicyChange::RollBack { policy, .. } => (Changed::RollBack, Some(policy.clone())),
        PolicyChange::Promote { policy } => (Changed::Promote, Some(policy.clone())),
        PolicyChange::SetPercent { policy, .. } => (Changed::SetPercent, Some(policy.clone())),
    };
    let done = node.change(change).await;
    let (result, generation, reason) = match &done {
        Ok(done) => (
            match done.changed {
                true => ChangeResult::Changed,
                false => ChangeResult::Unchanged,
            },
            done.policy.as_ref().map(|policy| policy.generation),
            None,
        ),
        Err(refusal) => (ChangeResult::Refused, None, Some(&*refusal.detail)),
    };
    events::PolicyChanged {
        action,
        result,
        policy: policy.as_deref(),
        address: who.map(|Extension(address)| address.0),
        generation,
        reason,
    }
    .emit();
    match done {
        Ok(done) => {
            let did = match &done.policy {
                Some(policy) => format!("generation {}, {}", policy.generation, policy.digest),
                None => format!("changed: {}", done.changed),
            };
            (Extension(Did(did)), Json(done)).into_response()
        }
        Err(refusal) => refused(refusal),
    }
}

pub(super) fn refused(refusal: PolicyRefusal) -> Response {
    let (status, code) = match refusal.kind {
        RefusalKind::UnknownPolicy => (StatusCode::NOT_FOUND, "unknown_policy"),
        RefusalKind::UnknownGeneration => (StatusCode::NOT_FOUND, "unknown_generation"),
        RefusalKind::Conflict => (StatusCode::CONFLICT, "nothing_to_change"),
        RefusalKind::Refused => (StatusCode::UNPROCESSABLE_ENTITY, "policy_refused"),
        RefusalKind::Untrusted => (StatusCode::FORBIDDEN, "untrusted_module"),
        RefusalKind::ReloadFailed => (StatusCode::UNPROCESSABLE_ENTITY, "reload_failed"),
        RefusalKind::Busy => return busy(refusal.detail).into_response(),
        RefusalKind::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
        RefusalKind::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopped"),
    };
    Problem::new(status, code, refusal.detail).into_response()
}

pub(super) fn busy(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).again_after(1)
}

fn unknown(name: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_policy",
        format!("there is no policy `{name}`"),
    )
}

fn wrong(field: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_query", detail).at(field)
}

/// The values of these keys of a query; any other key, and one that comes twice, is a mistake.
fn query<const N: usize>(uri: &Uri, keys: [&str; N]) -> Result<[Option<String>; N], Problem> {
    each_once(uri.query(), keys).map_err(|odd| match odd {
        Odd::Twice(key) => wrong(&key, "it is given twice"),
        Odd::Unknown(key) => wrong(&key, "there is no such key of the query here"),
    })
}

fn upload_mode(mode: Option<&str>, percent: Option<&str>) -> Result<UploadMode, Problem> {
    let mode = match mode {
        Some("canary") => return read_percent(percent).map(UploadMode::Canary),
        None | Some("enforce") => UploadMode::Enforce,
        Some("shadow") => UploadMode::Shadow,
        Some(_) => return Err(wrong("mode", "`mode` is enforce, shadow or canary")),
    };
    match percent {
        Some(_) => Err(wrong("percent", "`percent` goes with `mode=canary`")),
        None => Ok(mode),
    }
}

fn read_percent(percent: Option<&str>) -> Result<u32, Problem> {
    percent
        .and_then(|text| text.parse().ok())
        .filter(|percent| (1..=WHOLE).contains(percent))
        .ok_or_else(|| wrong("percent", "`percent` is a whole number from 1 to 100"))
}

pub(super) fn signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(SIGNATURE) else {
        return Ok(None);
    };
    STANDARD
        .decode(value.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Some)
        .ok_or_else(|| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_signature",
                "`Sluice-Signature` is the text of a minisign signature in base64",
            )
        })
}

pub(super) fn unreadable(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a module has at most {} MiB", MAX_MODULE >> 20),
        ),
        _ => Problem::new(
            StatusCode::BAD_REQUEST,
            "unreadable",
            "the body broke off before its end",
        ),
    }
}
