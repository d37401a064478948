//! What becomes of generations that do not serve any more. What clients see of them is in the scenarios.

use std::fs;
use std::sync::Weak;

use super::*;
use crate::plugin::trial::Kind;

/// A policy that was built against contract 0.1: what the tests of old versions load too.
const MODULE: &[u8] = include_bytes!("../../../../tests/compat/v0.1/policy.wasm");

/// The same policy as other bytes: with a custom section of its own at the end (WebAssembly, binary format).
fn build(number: u8) -> Artifact {
    let section = [0, 3, 1, b'n', number];
    Artifact {
        bytes: [MODULE, &section].concat().into(),
        signature: Ok(None),
    }
}

struct Fixture {
    registry: Registry,
    loaded: config::Loaded,
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> (Self, Pipelines) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("p.wasm"), build(1).bytes).unwrap();
        let text = r#"
            [plugins]
            dir = "."
            [[policy]]
            name = "p"
            timeout = "1s"
            config = { word = "w" }
        "#;
        let file = dir.path().join("sluice.toml");
        fs::write(&file, text).unwrap();
        let loaded = config::load(Some(&file), config::Env::default()).unwrap();
        let engine = Arc::new(Engine::new().unwrap());
        let mut registry = Registry::new(engine, Arc::new(Store::new()));
        let built = registry.build(&loaded.config, &loaded.env);
        let built = built.map_err(|failed| failed[0].to_string());
        let pipelines = built.unwrap().pipelines.unwrap();
        let fixture = Self {
            registry,
            loaded,
            dir,
        };
        (fixture, pipelines)
    }

    fn upload(&mut self, number: u8) -> Pipelines {
        let config::Loaded { config, env, .. } = &self.loaded;
        let change = self.registry.upload("p", build(number), config, env);
        change.unwrap().pipelines.unwrap()
    }

    fn on_disk(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("p.wasm")).unwrap()
    }
}

fn weak(pipelines: &Pipelines) -> (Weak<Policy>, Weak<Module>) {
    let policy = pipelines.policies().next().unwrap();
    (Arc::downgrade(policy), Arc::downgrade(&policy.module))
}

#[test]
fn what_serves_no_more_is_freed_with_its_last_event() {
    let (mut fixture, pipelines) = Fixture::new();
    let (policy, module) = weak(&pipelines);
    let newer = fixture.upload(2);
    assert!(
        policy.upgrade().is_some(),
        "an event may still be under way"
    );
    drop(pipelines);
    assert!(policy.upgrade().is_none());
    assert!(module.upgrade().is_none());
    assert_eq!(fixture.on_disk(), build(2).bytes);

    // Its bytes are kept, so it can serve again.
    let config::Loaded { config, env, .. } = fixture.loaded.clone();
    let back = fixture
        .registry
        .roll_back("p", None, OPERATOR, &config, &env);
    let back = back.unwrap();
    assert_eq!(
        (back.policy.generation, back.persisted),
        (1, Persisted::Yes)
    );
    assert_eq!(fixture.on_disk(), build(1).bytes);
    let (policy, module) = weak(&newer);
    drop(newer);
    assert!(policy.upgrade().is_none() && module.upgrade().is_none());
}

#[test]
fn a_version_on_trial_is_freed_with_its_trial() {
    let (mut fixture, _) = Fixture::new();
    let config::Loaded { config, env, .. } = fixture.loaded.clone();
    for kind in [Kind::Shadow, Kind::Canary(10)] {
        let registry = &mut fixture.registry;
        let change = registry
            .try_out("p", build(2), kind, &config, &env)
            .unwrap();
        let candidate = Arc::downgrade(&change.policy);
        let name = change.policy.name.to_string();
        assert_eq!(&*name == "p", kind != Kind::Shadow, "{name}");
        let pipelines = change.pipelines.unwrap();
        assert_eq!(pipelines.versions().len(), 2);
        drop((change.policy, pipelines));
        assert!(candidate.upgrade().is_some());
        let back = registry
            .roll_back("p", None, OPERATOR, &config, &env)
            .unwrap();
        assert_eq!(back.policy.generation, 1);
        assert!(candidate.upgrade().is_none());
        assert!(registry.store.find("p@candidate").is_none());
    }
}

#[test]
fn a_policy_that_is_gone_keeps_no_bytes() {
    let (mut fixture, _) = Fixture::new();
    fixture.upload(2);
    let config::Loaded {
        mut config, env, ..
    } = fixture.loaded.clone();
    config.policies.clear();
    config.namespaces[0].policies.clear();
    config.plugins.dir = None;
    assert!(fixture.registry.build(&config, &env).is_ok());
    assert!(fixture.registry.histories()["p"].generations.is_empty());
}
