//! How far the node is emptied.

use crate::admin::{DrainInfo, DrainState};
use crate::drain::{Phase, Status};

pub(super) fn shown(status: Status) -> DrainInfo {
    DrainInfo {
        state: match status.phase {
            Phase::Serving => DrainState::Serving,
            Phase::Draining => DrainState::Draining,
            Phase::Drained => DrainState::Drained,
        },
        exit: status.wanted.map(|it| it.exit),
        started: status.started,
        period_seconds: status.wanted.map(|it| it.period.as_secs_f64()),
        total: status.total,
        closed: status.closed,
        left: status.left,
    }
}
