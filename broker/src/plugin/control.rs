//! What may be asked of whoever keeps the policies: one request at a time, off every event's path.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::folder::Artifact;
use super::policy::Policy;
use super::registry::{ChangeError, Persisted};
use super::trial::Kind;
use crate::config::Change;

/// Requests that wait. A request compiles, which takes seconds at the worst: more than a few would wait for longer
/// than who asked does.
const WAITING: usize = 8;

/// From a request to its answer.
const DEADLINE: Duration = Duration::from_secs(45);

#[derive(Debug)]
pub(crate) enum Command {
    /// Follow the files now; a policy that is named also lets go of an earlier generation that holds against them.
    Reload { policy: Option<String> },
    /// Follow the configuration and all other files now, and say what that changes.
    Follow {
        /// How it is asked, for the log.
        by: &'static str,
    },
    /// Serve this module under this name.
    Upload { policy: String, artifact: Artifact },
    /// Put this module on trial beside the one that enforces.
    TryOut {
        policy: String,
        artifact: Artifact,
        kind: Kind,
    },
    /// Let a canary decide for so many of a hundred sockets.
    SetPercent { policy: String, percent: u32 },
    /// Make the version on trial the one that enforces.
    Promote { policy: String },
    /// Serve a policy no more that came by an upload and had nothing before it.
    Withdraw { policy: String },
    /// Serve an earlier generation, the one before where none is given.
    RollBack {
        policy: String,
        generation: Option<u64>,
    },
}

/// What a command came to.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    /// Whether anything is different from before.
    pub changed: bool,
    /// The policy that was asked for; `None`: all were.
    pub policy: Option<DonePolicy>,
    /// Keys of the configuration that have changed, those that wait for a restart, and policies that do not load:
    /// only where everything was to be followed.
    pub changes: Vec<Change>,
    pub waiting: Vec<Change>,
    pub failed: Vec<String>,
}

impl Done {
    /// What becomes of policies only.
    pub(super) fn changes(changed: bool, policy: Option<DonePolicy>) -> Self {
        Self {
            changed,
            policy,
            changes: Vec::new(),
            waiting: Vec::new(),
            failed: Vec::new(),
        }
    }
}

/// What serves of a policy after a command.
#[derive(Debug, Clone)]
pub(crate) struct DonePolicy {
    pub generation: u64,
    pub version: String,
    pub digest: String,
    pub persisted: Persisted,
}

impl DonePolicy {
    pub(super) fn of(policy: &Policy, persisted: Persisted) -> Self {
        Self {
            generation: policy.generation,
            version: policy.module.description.version.clone(),
            digest: policy.module.digest.to_string(),
            persisted,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Each that failed, in words.
    #[error("{0}")]
    Reload(String),
    #[error("too many requests are waiting already")]
    Busy,
    #[error("there was no answer within {} s; it may still take effect", DEADLINE.as_secs())]
    TimedOut,
    #[error("this node changes no policies any more and has to be restarted")]
    Stopped,
}

pub(crate) type Answer = Result<Done, CommandError>;

/// A command on its way, and where its answer is waited for.
pub(crate) struct Request {
    pub command: Command,
    answer: oneshot::Sender<Answer>,
    until: Instant,
}

/// Whoever may ask.
#[derive(Clone)]
pub(crate) struct Control(mpsc::Sender<Request>);

/// The requests, for who keeps the policies.
pub(crate) struct Mailbox(mpsc::Receiver<Request>);

/// The two ends.
pub(crate) fn control() -> (Control, Mailbox) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Control(sender), Mailbox(receiver))
}

impl Control {
    /// Asks, and waits for the answer up to a deadline.
    pub(crate) async fn ask(&self, command: Command) -> Answer {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            command,
            answer,
            until: Instant::now() + DEADLINE,
        };
        self.0.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => CommandError::Stopped,
        })?;
        match tokio::time::timeout(DEADLINE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CommandError::Stopped),
            Err(_) => Err(CommandError::TimedOut),
        }
    }
}

impl Mailbox {
    /// The next request that somebody still waits for; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Request> {
        loop {
            let request = self.0.recv().await?;
            // Who has gone, or been told that it took too long, is not to be surprised later.
            if !request.answer.is_closed() && Instant::now() < request.until {
                return Some(request);
            }
        }
    }
}

impl Request {
    /// The command, and where its answer goes.
    pub(crate) fn open(self) -> (Command, Reply) {
        (self.command, Reply(self.answer))
    }
}

/// Where an answer goes.
pub(crate) struct Reply(oneshot::Sender<Answer>);

impl Reply {
    pub(crate) fn send(self, answer: Answer) {
        // Whoever asked may have gone.
        let _ = self.0.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reload() -> Command {
        Command::Reload { policy: None }
    }

    #[tokio::test]
    async fn an_answer_comes_back() {
        let (control, mut mailbox) = control();
        let asked = tokio::spawn(async move { control.ask(reload()).await });
        let (command, reply) = mailbox.next().await.unwrap().open();
        assert!(matches!(command, Command::Reload { policy: None }));
        reply.send(Err(CommandError::Busy));
        assert!(matches!(asked.await.unwrap(), Err(CommandError::Busy)));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_and_no_more_than_a_few_wait() {
        let (control, mut mailbox) = control();
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let control = control.clone();
                tokio::spawn(async move { control.ask(reload()).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(matches!(
            control.ask(reload()).await,
            Err(CommandError::Busy)
        ));
        for asked in waiting {
            assert!(matches!(asked.await.unwrap(), Err(CommandError::TimedOut)));
        }
        // What nobody waits for is not done either.
        drop(control);
        assert!(mailbox.next().await.is_none());
    }

    #[tokio::test]
    async fn the_end_of_the_keeper_is_told() {
        let (control, mailbox) = control();
        drop(mailbox);
        assert!(matches!(
            control.ask(reload()).await,
            Err(CommandError::Stopped)
        ));
    }
}
