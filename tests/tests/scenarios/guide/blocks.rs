//! Every configuration that the guide shows is one.

use sluice_tests::Setup;

use super::MODULES;

fn guide() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/migration.md");
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match &mut open {
            Some(block) if line.trim_end() == "```" => {
                blocks.push(std::mem::take(block));
                open = None;
            }
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line.trim_end() == format!("```{language}") => open = Some(String::new()),
            None => {}
        }
    }
    blocks
}

fn check(config: &str) -> sluice_tests::Exited {
    // Listeners and policies are the block's own, or the defaults.
    Setup::new(config)
        .modules(&MODULES)
        .without_env("SLUICE_SERVER__LISTEN")
        .without_env("SLUICE_ADMIN__LISTEN")
        .without_env("SLUICE_TELEMETRY__FORMAT")
        .env("PORT", "5000")
        .env("CLIENT_URL", "https://yourdomain.com")
        .env("NATS_URL", "nats://localhost:4222")
        .env("JWT_SECRET", "your-secret-key")
        .env("ADMIN_TOKEN", "0123456789abcdef")
        .run(&["check", "--config", "sluice.toml"])
}

#[test]
fn every_configuration_of_the_guide_is_valid() {
    let blocks = blocks(&guide(), "toml");
    assert!(blocks.len() >= 12, "{} blocks", blocks.len());
    for block in blocks {
        let checked = check(&block);
        assert_eq!(checked.code, Some(0), "{block}\n{}", checked.stderr);
    }
}

#[test]
fn a_slip_in_the_guide_is_noticed() {
    let checked = check("[server]\nping_intervall = \"10s\"\n");
    assert_eq!(checked.code, Some(78));
}

/// Every practice has its row.
#[test]
fn all_twenty_five_practices_have_a_row() {
    let guide = guide();
    for number in 1..=25 {
        let rows = guide
            .lines()
            .filter(|line| line.starts_with(&format!("| {number} |")));
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 1, "practice {number}: {rows:?}");
    }
}
