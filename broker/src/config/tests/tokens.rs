//! `[[admin.tokens]]`.

use super::*;

#[test]
fn tokens_have_a_name_and_a_scope() {
    let folder = Folder::toml(
        r#"
[admin]
listen = "0.0.0.0:9090"
[[admin.tokens]]
name = "prometheus"
token = "p"
[[admin.tokens]]
name = "ci"
token = "c"
scope = "write"
"#,
    );
    let tokens = folder.config().admin.tokens;
    let tokens: Vec<_> = tokens
        .iter()
        .map(|it| (&*it.name, it.token.expose(), it.scope))
        .collect();
    let expected = [("prometheus", "p", Scope::Read), ("ci", "c", Scope::Write)];
    assert_eq!(tokens, expected);
}

#[test]
fn mistakes_of_tokens_are_told_without_them() {
    let folder = Folder::toml(
        r#"
[admin]
token = "hunter2"
[[admin.tokens]]
name = "a b"
token = "hunter3"
scope = "admin"
[[admin.tokens]]
name = "admin"
[[admin.tokens]]
name = "ci"
token = "hunter2"
[[admin.tokens]]
name = "ci"
token = ""
scop = "read"
"#,
    );
    let problems = folder.problems().join("\n");
    for part in [
        "admin.tokens[0].name",
        "`a b` is not a name",
        "admin.tokens[0].scope",
        "`read` or `write`",
        "`admin` is taken",
        "admin.tokens[1].token",
        "is given twice",
        "`ci` is taken",
        "admin.tokens[3].token",
        "did you mean `scope`?",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert!(!problems.contains("hunter"), "{problems}");
}
