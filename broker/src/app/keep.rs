//! Keeping the policies: files are followed and an operator's commands done, one at a time, for as long as the process
//! lives. What comes of it serves from here.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Served;
use crate::plugin::{Command, CommandAnswer, Failed, Follower, Mailbox, Outcome};
use crate::telemetry::events::{ReloadAnswered, ReloadApplied, ReloadFailed, RestartNeeded};

/// Between two looks at versions that may have to be taken back. A canary that is over decides for nobody at once:
/// this is how long it takes until that is told.
const CHECK: Duration = Duration::from_millis(500);

/// How far compiling stands behind the traffic: a tenth of a processor that both want.
const NICENESS: i32 = 10;

/// What there is to do next.
enum Task {
    Look,
    Check,
    Do(Command),
}

/// Loads what changes on disk, if that is wanted, and does what is asked for, by an operator or by a hang-up.
pub(super) async fn keep(
    mut follower: Follower,
    mut mailbox: Mailbox,
    mut hangup: Signal,
    served: Served,
) {
    let worker = match Worker::start() {
        Ok(worker) => worker,
        Err(error) => return ended(&error, &served),
    };
    let mut look_at = Instant::now() + follower.pause();
    let mut check_at = Instant::now() + CHECK;
    loop {
        let (task, reply) = tokio::select! {
            // Both get their turn, however often the other is ready.
            request = mailbox.next() => match request {
                Some(request) => {
                    let (command, reply) = request.open();
                    (Task::Do(command), Some(reply))
                }
                // Nobody can ask any more: the process is ending.
                None => return,
            },
            Some(()) = hangup.recv() => (Task::Do(Command::Follow { by: "SIGHUP" }), None),
            () = tokio::time::sleep_until(look_at), if follower.follows_files() => (Task::Look, None),
            () = tokio::time::sleep_until(check_at), if follower.is_watching() => {
                check_at = Instant::now() + CHECK;
                (Task::Check, None)
            }
        };
        let looked = matches!(task, Task::Look);
        let asked = match task {
            Task::Do(Command::Follow { by }) => Some(by),
            _ => None,
        };
        if asked.is_some() {
            served.supervisor.reloading().await;
        }
        let work = worker.run(move || {
            let (outcome, answer) = work(&mut follower, task);
            (follower, outcome, answer)
        });
        match work.await {
            Ok((back, outcome, answer)) => {
                follower = back;
                if looked {
                    look_at = Instant::now() + follower.pause();
                }
                if let Some(outcome) = outcome {
                    apply(outcome, &served, asked).await;
                }
                if asked.is_some() {
                    served.supervisor.ready().await;
                }
                // Once it serves.
                if let (Some(reply), Some(answer)) = (reply, answer) {
                    reply.send(answer);
                }
            }
            // A panic of the compiler.
            Err(error) => return ended(&error, &served),
        }
    }
}

/// The policies serve on as they are, and this process reloads no more.
fn ended(error: &(dyn std::error::Error + 'static), served: &Served) {
    tracing::error!(error, "reloading ended");
    served.node.stopped_following();
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread of its own: a file system that hangs, or a compiler that works, must hold up neither the admin listener nor
/// the traffic.
struct Worker(mpsc::SyncSender<Job>);

impl Worker {
    fn start() -> io::Result<Self> {
        // Whoever has one done waits for it.
        let (jobs, to_do) = mpsc::sync_channel::<Job>(1);
        thread::Builder::new()
            .name("policies".into())
            .spawn(move || {
                // Elsewhere it would be the whole process.
                if cfg!(target_os = "linux") {
                    // Without it, compiling is felt a little more.
                    let _ = rustix::process::nice(NICENESS);
                }
                to_do.iter().for_each(|job| job());
            })?;
        Ok(Self(jobs))
    }

    /// The answer is an error if the work panics.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        // One that has panicked takes no more, and drops what tells.
        let _ = self.0.send(Box::new(move || {
            // Whoever asked is gone: the process is ending.
            let _ = done.send(work());
        }));
        result
    }
}

fn work(follower: &mut Follower, task: Task) -> (Option<Outcome>, Option<CommandAnswer>) {
    match task {
        Task::Check => (follower.check(), None),
        Task::Look => (follower.look(), None),
        Task::Do(command) => {
            let (outcome, answer) = follower.command(command);
            (Some(outcome), Some(answer))
        }
    }
}

async fn apply(outcome: Outcome, served: &Served, asked: Option<&'static str>) {
    let Served { edge, node, .. } = served;
    let is_news = outcome.is_news();
    // First, so that whoever sees no candidate any more sees what became of it.
    node.remembers(outcome.histories);
    node.is_configured(outcome.effective);
    let refused: Vec<_> = outcome.failed.iter().map(ToString::to_string).collect();
    // From here on whatever begins sees the new settings and the new pipelines, as a whole.
    if let Some(commit) = outcome.commit {
        commit();
    }
    let news = node.follows(outcome.pipelines.clone(), outcome.failed);
    if is_news {
        ReloadApplied {
            generation: node.generation(),
            changes: &outcome.changes,
        }
        .emit();
    }
    if let Some(pipelines) = outcome.pipelines {
        edge.replaced(&pipelines).await;
    }
    if node.waits_for_restart(&outcome.waiting) {
        RestartNeeded {
            waiting: &outcome.waiting,
        }
        .emit();
    }
    report(&news);
    if let Some(by) = asked {
        ReloadAnswered {
            by,
            changed: is_news,
            changes: &outcome.changes,
            waiting: &outcome.waiting,
            refused: &refused,
        }
        .emit();
    }
}

/// Tells what could not be followed: the log once, readiness and the API for as long as it lasts.
pub(super) fn report(news: &[Failed]) {
    for failure in news {
        ReloadFailed {
            policy: failure.policy.as_deref(),
            file: &failure.file,
            reason: &failure.reason,
        }
        .emit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_ends_the_worker_and_not_who_waits() {
        let worker = Worker::start().unwrap();
        assert_eq!(worker.run(|| 1).await, Ok(1));
        assert!(worker.run(|| assert!(thread::panicking())).await.is_err());
        assert!(worker.run(|| 2).await.is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_stands_behind_the_traffic() {
        let niceness = || rustix::process::nice(0);
        let before = niceness().unwrap();
        let worker = Worker::start().unwrap();
        let its = worker.run(niceness).await.unwrap().unwrap();
        assert_eq!(its, (before + NICENESS).min(19));
        assert_eq!(niceness().unwrap(), before);
    }
}
