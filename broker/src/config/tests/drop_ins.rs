//! The settings of dropped-in policies.

use super::*;

#[test]
fn a_module_alone() {
    let DropIn { policy, namespaces } =
        drop_in(Path::new("p/chat-2.wasm"), None, &Env::default()).unwrap();
    assert_eq!(
        (policy.name.as_str(), &*policy.module),
        ("chat-2", Path::new("p/chat-2.wasm"))
    );
    assert_eq!(policy.config, serde_json::json!({}));
    assert_eq!((policy.grant, namespaces), (Vec::new(), None));
    assert_eq!(policy.timeout, Duration::from_millis(10));
}

#[test]
fn a_module_with_settings() {
    let folder = Folder::new().file(
        "chat.toml",
        "namespaces = ['/', '/org-{id}']\ntimeout = '20ms'\ngrant = ['emit']\nmode = 'shadow'\n\
         on_error = 'allow'\n[config]\nsecret = '${S}'\n'a.b' = 1\n",
    );
    let env = Env::from_iter([("S", "x")]);
    let read = drop_in(
        &folder.path("chat.wasm"),
        Some(&folder.path("chat.toml")),
        &env,
    )
    .unwrap();
    assert_eq!(
        read.policy.config,
        serde_json::json!({"secret": "x", "a.b": 1})
    );
    assert_eq!(
        (read.policy.mode, read.policy.on_error.event),
        (Mode::Shadow, Failure::Allow)
    );
    assert_eq!(read.policy.timeout, Duration::from_millis(20));
    assert_eq!(read.namespaces.as_deref().unwrap(), ["/", "/org-{id}"]);
    let configured = load(None, Env::default()).unwrap().config.namespaces;
    assert_eq!(read.unknown_namespace(&configured), Some("/org-{id}"));
}

#[test]
fn mistakes_are_reported_at_once() {
    let folder = Folder::new().file(
        "Chat.toml",
        "name = 'x'\nmodule = 'y'\ntimeout = 5\nnamspaces = []\n[config]\ns = '${S}'\n",
    );
    let read = drop_in(
        &folder.path("Chat.wasm"),
        Some(&folder.path("Chat.toml")),
        &Env::default(),
    );
    let here = format!("{}/", folder.dir.path().display());
    let problems = read.unwrap_err().to_string().replace(&here, "");
    let problems: Vec<_> = problems.lines().collect();
    assert_eq!(
        problems,
        [
            "Chat.wasm: the file's name is not a policy's; expected up to 64 of a-z, 0-9 and -",
            "name: is given by the name of the module's file [Chat.toml:1]",
            "module: is given by the name of the module's file [Chat.toml:2]",
            "config.s: the variable `S` is not set [Chat.toml:6]",
            "timeout: `5` has no unit: write one, such as `s` or `ms`; \
             expected a duration such as `25s`, `500ms` or `1h30m` [Chat.toml:3]",
            "namspaces: unknown key; did you mean `namespaces`? [Chat.toml:4]",
        ]
    );
    let broken = Folder::new().file("a.toml", "[");
    assert!(
        drop_in(
            &broken.path("a.wasm"),
            Some(&broken.path("a.toml")),
            &Env::default()
        )
        .is_err()
    );
}
