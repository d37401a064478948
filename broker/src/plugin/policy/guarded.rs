//! What a policy's breaker is asked before a call, and told after it.

use std::time::Instant;

use super::Policy;
use crate::event::Client;
use crate::plugin::breaker::{Change, Permit};
use crate::plugin::instance::Fault;
use crate::telemetry::events::{PolicyBreakerClosed, PolicyBreakerOpened};
use crate::telemetry::metrics::{Hook, TrapKind};

impl Policy {
    /// The breaker's leave to make a call. Whoever gets it says how the call [`ended`](Self::ended).
    pub(super) fn permit(&self, hook: Hook, client: &Client) -> Result<Permit<'_>, Fault> {
        // There is nobody to see whether a goodbye worked, and the policy may treat it as nothing else.
        let try_out = hook != Hook::Disconnect;
        let permit = self
            .breaker
            .may_call(client.peer.token, try_out, Instant::now);
        permit.ok_or_else(|| {
            // Not logged: that the breaker is open has been, once.
            if let Some(metrics) = self.metrics(hook) {
                metrics.trap(TrapKind::Breaker);
            }
            Fault {
                kind: TrapKind::Breaker,
                detail: "not called: it keeps failing, and its breaker is open".to_owned(),
            }
        })
    }

    /// Tells the breaker how a call ended, and the log what that has changed.
    pub(super) fn ended<T>(
        &self,
        permit: Permit<'_>,
        hook: Hook,
        client: &Client,
        result: &Result<T, Fault>,
    ) {
        let socket = client.peer.token;
        let Err(fault) = result else {
            if let Some(Change::Closed { open_for }) =
                self.breaker.ended(permit, socket, None, Instant::now)
            {
                PolicyBreakerClosed {
                    policy: &self.name,
                    open_for,
                }
                .emit();
            }
            return;
        };
        if !fault.kind.was_called() {
            return;
        }
        let fault = format!(
            "{} in {}: {}",
            fault.kind.as_str(),
            hook.as_str(),
            fault.detail
        );
        let change = self
            .breaker
            .ended(permit, socket, Some(&fault), Instant::now);
        if let Some(Change::Opened { failures, pause }) = change {
            PolicyBreakerOpened {
                policy: &self.name,
                failures,
                pause,
                fault: &fault,
            }
            .emit();
        }
    }
}
