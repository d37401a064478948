//! What calls of a policy cost: each hook and event by itself, on as many threads as wanted, without a rehearsal's record of
//! what the policy says and with the machine's clock.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::line::{self, Ask, Says};
use super::outcome::Verdict;
use super::player::{NotReady, Player, ask};
use super::report::quantile;
use super::script::{Script, ScriptError};
use super::socket;
use crate::event::{Client, Event};
use crate::plugin::{Clock, DisconnectReason, Empty, Policy};
use crate::telemetry::metrics::Hook;

/// Lines of a file that are measured.
const MAX_CALLS: usize = 10_000;

/// Calls whose latency is kept, a thread.
const SAMPLES: usize = 1 << 20;

/// Instances that are made to see what one takes.
const INSTANCES: usize = 50;

/// Arguments as events of chats have them.
const ARGS: &str =
    r#"[{"room":"general","text":"a message of usual length, with <b>markup</b> to escape"}]"#;

/// How to measure.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub threads: usize,
    /// For each hook and event.
    pub time: Duration,
}

#[derive(Debug, Serialize)]
pub(crate) struct Benched {
    pub threads: usize,
    pub calls: Vec<Row>,
    pub instance: Cost,
    /// What calling a component costs that does nothing.
    pub empty_call_ns: f64,
}

/// One hook and event.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub hook: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event: String,
    /// What the policy answered at first, to show what was measured.
    pub verdict: &'static str,
    pub calls: u64,
    pub mean_ns: f64,
    pub p50_ns: u64,
    pub p99_ns: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    /// A module is compiled once.
    pub compile_us: u64,
    /// An instance is made once a thread, and after a failure.
    pub new_ns: u64,
    pub memory_bytes: usize,
}

/// Calls that are measured together.
struct Group {
    hook: &'static str,
    about: String,
    calls: Vec<(Arc<Client>, Ask)>,
}

/// What one thread has measured.
#[derive(Default)]
struct Measured {
    calls: u64,
    elapsed: Duration,
    samples: Vec<u64>,
}

impl Bench {
    /// Measures the calls of a script, or typical ones for everything that the policy is interested in.
    pub(crate) fn run(
        &self,
        player: &Player,
        script: Option<&Script>,
        config: Value,
    ) -> Result<Benched, ScriptError> {
        let (groups, own) = match script {
            Some(script) => of_script(script)?,
            None => (Vec::new(), None),
        };
        let config = own.unwrap_or(config);
        let policy = player.activate(config, Clock::System);
        let policy = policy.map_err(NotReady::from)?;
        let groups = match script {
            Some(_) => groups,
            None => typical(&policy),
        };
        let mut calls = Vec::new();
        for group in groups {
            calls.push(self.row(&policy, group));
        }
        let empty = Empty::new(&player.engine);
        let mut empty = empty.map_err(|error| NotReady::NoEngine(error.to_string()))?;
        let measured = repeat(self.time / 4, |_| _ = black_box(empty.call().is_ok()));
        Ok(Benched {
            threads: self.threads,
            calls,
            instance: cost(&policy, player.compiled_in)?,
            empty_call_ns: measured.mean(),
        })
    }

    fn row(&self, policy: &Policy, group: Group) -> Row {
        let first = group.calls.first();
        let verdict = first.map_or(Verdict::NotCalled, |(client, it)| {
            ask(policy, client, it, 1, &mut Vec::new())
        });
        let all: Vec<Measured> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| scope.spawn(|| self.measure(policy, &group.calls)))
                .collect();
            // One that panicked has measured nothing.
            let joined = threads.into_iter().map(|it| it.join().unwrap_or_default());
            joined.collect()
        });
        let calls = all.iter().map(|it| it.calls).sum();
        let elapsed: f64 = all.iter().map(|it| it.elapsed.as_nanos() as f64).sum();
        let mut samples: Vec<u64> = all.into_iter().flat_map(|it| it.samples).collect();
        samples.sort_unstable();
        Row {
            hook: group.hook,
            event: group.about,
            verdict: verdict.as_str(),
            calls,
            mean_ns: elapsed / (calls as f64).max(1.0),
            p50_ns: quantile(&samples, 0.5),
            p99_ns: quantile(&samples, 0.99),
        }
    }

    /// First without looking at the clock for every call, which would add to what is measured, then with.
    fn measure(&self, policy: &Policy, calls: &[(Arc<Client>, Ask)]) -> Measured {
        if calls.is_empty() {
            return Measured::default();
        }
        let mut effects = Vec::new();
        let mut call = |number: u64| {
            if let Some((client, it)) = calls.get(number as usize % calls.len()) {
                black_box(ask(policy, client, it, number, &mut effects));
                effects.clear();
            }
        };
        call(0);
        let mut measured = repeat(self.time / 2, &mut call);
        let clock = clock_ns();
        let end = Instant::now() + self.time / 2;
        let mut begin = Instant::now();
        while begin < end && measured.samples.len() < SAMPLES {
            call(measured.samples.len() as u64);
            let took = begin.elapsed().as_nanos() as u64;
            measured.samples.push(took.saturating_sub(clock));
            begin = Instant::now();
        }
        measured
    }
}

impl Measured {
    fn mean(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / (self.calls as f64).max(1.0)
    }
}

fn repeat(time: Duration, mut call: impl FnMut(u64)) -> Measured {
    /// Calls between two looks at the clock.
    const BATCH: u64 = 64;
    let begin = Instant::now();
    let mut calls = 0;
    while begin.elapsed() < time {
        for number in calls..calls + BATCH {
            call(number);
        }
        calls += BATCH;
    }
    Measured {
        calls,
        elapsed: begin.elapsed(),
        samples: Vec::new(),
    }
}

/// What looking at the clock takes.
fn clock_ns() -> u64 {
    let mut took: Vec<u64> = (0..1001)
        .map(|_| Instant::now().elapsed().as_nanos() as u64)
        .collect();
    took.sort_unstable();
    quantile(&took, 0.5)
}

fn cost(policy: &Policy, compiled_in: Duration) -> Result<Cost, NotReady> {
    let mut times = Vec::with_capacity(INSTANCES);
    let mut bytes = 0;
    for _ in 0..INSTANCES {
        let (took, memory) = policy.measure_instance()?;
        times.push(took.as_nanos() as u64);
        bytes = memory;
    }
    times.sort_unstable();
    Ok(Cost {
        compile_us: compiled_in.as_micros() as u64,
        new_ns: quantile(&times, 0.5),
        memory_bytes: bytes,
    })
}

/// The calls of a file by hook and event, and the configuration that it has.
fn of_script(script: &Script) -> Result<(Vec<Group>, Option<Value>), ScriptError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut sockets = std::collections::HashMap::new();
    let mut config = None;
    let mut calls = 0;
    script.each(|number, text| {
        if text.trim().is_empty() || calls >= MAX_CALLS {
            return Ok(());
        }
        let wrong = |reason| script.wrong(number, reason);
        let call = match line::read(text).map_err(wrong)?.says {
            Says::Call(call) => call,
            Says::Configure(own) => {
                config.get_or_insert(own);
                return Ok(());
            }
            Says::Http(..) | Says::Dropped(_) => return Ok(()),
        };
        calls += 1;
        let fresh = || socket::fresh(call.socket);
        let known = sockets.entry(call.socket).or_insert_with(fresh);
        *known = socket::with(known, call.facts).map_err(wrong)?;
        let (hook, about) = (call.ask.hook(), call.ask.about());
        let group = groups
            .iter_mut()
            .find(|group| group.hook == hook && group.about == about);
        match group {
            Some(group) => group.calls.push((known.clone(), call.ask)),
            None => groups.push(Group {
                hook,
                about: about.to_owned(),
                calls: vec![(known.clone(), call.ask)],
            }),
        }
        Ok(())
    })?;
    Ok((groups, config))
}

/// One call for everything that the policy is interested in.
fn typical(policy: &Policy) -> Vec<Group> {
    let interests = &policy.interests;
    let name = |glob: &String| glob.replace('*', "x");
    let events = interests.events.iter().map(|rule| Ask::Event {
        event: Event {
            name: name(&rule.name).into(),
            args: ARGS.into(),
            attachments: Arc::new([]),
            volatile: false,
        },
        wants_ack: true,
        replaced: false,
    });
    let rooms = interests
        .rooms
        .iter()
        .map(|glob| Ask::Subscribe { room: name(glob) });
    let connect = Ask::Connect {
        auth: "{}".to_owned(),
        is_refresh: false,
    };
    let disconnect = Ask::Disconnect {
        reason: DisconnectReason::Client,
    };
    let of = |hook, asks: Vec<Ask>| if policy.has(hook) { asks } else { Vec::new() };
    [
        of(Hook::Connect, vec![connect]),
        of(Hook::Event, events.collect()),
        of(Hook::Subscribe, rooms.collect()),
        of(Hook::Disconnect, vec![disconnect]),
    ]
    .into_iter()
    .flatten()
    .map(|ask| Group {
        hook: ask.hook(),
        about: ask.about().to_owned(),
        calls: vec![(socket::fresh(1), ask)],
    })
    .collect()
}
