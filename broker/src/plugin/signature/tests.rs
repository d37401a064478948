//! Signatures that the reference tool made, and ones that somebody changed.

use super::*;

/// Made by minisign 0.11: `minisign -G -W`, `minisign -S -t 'chat 1.2.0'`, and with `-l` the old kind.
const KEY: &str = "RWRlLUfCKUDACZ5+NSOAsg91BSbptrBQ31x+AU7F0Th4XSOPJJp0fQe7";
const MODULE: &[u8] = b"not really a module\n";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RURlLUfCKUDACUCWqQjiwuG1mF7BkgByw90hnsktBkDiccSYNGiweo1FnWPC2dzqUs/xlznc21QWi8gd+ZrAsAnMn92fFCZPFAE=
trusted comment: chat 1.2.0
8j6yDQcx/pWwgwG20HryCLsBmv2WRfBwxgM47I8v3a5lopHe3s+zUN68w7jHM2I0ZCkrO/Nm4+BYDo1vH3KGBg==
";
const OF_THE_OLD_KIND: &str = "untrusted comment: signature from minisign secret key
RWRlLUfCKUDACfcdeqmhcGF/0Lu6aOjVNItBLaouZ+2iG3/3Oe+OGAgwqOXXWa6Vw20n6buAm/aDhA8Il8gFAnRp+X8JaxDE9g4=
trusted comment: legacy
T0IHhK5iv6DdfP+kTuD0CJ6fs1EcTrEqCGWXBwySgGsgkWp0pJ07rGQXyJRg3rcjhNU3tSScd1Ne1KwLlAqrCQ==
";
const KEY_ID: &str = "09C04029C2472D65";
const ANOTHER: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

fn keys(texts: &[&str]) -> Vec<TrustedKey> {
    let read = |text: &&str| TrustedKey::from_base64(text).unwrap();
    texts.iter().map(read).collect()
}

fn refused(module: &[u8], signature: Option<&str>) -> String {
    let untrusted = check(module, signature, &keys(&[KEY])).unwrap_err();
    untrusted.to_string()
}

#[test]
fn a_signature_of_the_reference_tool_counts() {
    let signer = Signer {
        key_id: KEY_ID.to_owned(),
        trusted_comment: Some("chat 1.2.0".to_owned()),
    };
    for trusted in [&[KEY][..], &[ANOTHER, KEY]] {
        let checked = check(MODULE, Some(SIGNATURE), &keys(trusted));
        assert_eq!(checked, Ok(Some(signer.clone())));
    }
    let windows = SIGNATURE.replace('\n', "\r\n");
    assert!(check(MODULE, Some(&windows), &keys(&[KEY])).is_ok());
}

#[test]
fn without_keys_nothing_has_to_be_signed() {
    assert_eq!(check(MODULE, None, &[]), Ok(None));
    assert_eq!(check(MODULE, Some("nonsense"), &[]), Ok(None));
}

#[test]
fn what_is_missing_or_made_by_others_names_who_is_trusted() {
    let untrusted = refused(MODULE, None);
    assert_eq!(
        untrusted,
        "is missing: the module has to be signed with the key 09C04029C2472D65"
    );
    let untrusted = check(MODULE, Some(SIGNATURE), &keys(&[ANOTHER])).unwrap_err();
    assert_eq!(
        untrusted.to_string(),
        "was made with the key 09C04029C2472D65, which is not trusted: it has to be the key E7620F1842B4E81F"
    );
}

#[test]
fn whatever_is_changed_is_noticed() {
    let wrong = format!("is of another module, or one of the two has been changed (key {KEY_ID})");
    assert_eq!(refused(b"not really a module", Some(SIGNATURE)), wrong);
    // In the signature proper, in the comment, in what signs both.
    for (what, by) in [("UCWqQ", "UCWqR"), ("chat 1", "chat 2"), ("8j6y", "8j6z")] {
        let changed = SIGNATURE.replacen(what, by, 1);
        assert_ne!(changed, SIGNATURE);
        assert_eq!(refused(MODULE, Some(&changed)), wrong, "{what}");
    }
}

#[test]
fn the_old_kind_is_refused() {
    assert_eq!(
        check(MODULE, Some(OF_THE_OLD_KIND), &keys(&[KEY])),
        Err(Untrusted::Legacy)
    );
}

#[test]
fn no_text_makes_it_panic() {
    let lines: Vec<_> = SIGNATURE.lines().collect();
    for line in 0..4 {
        for other in ["", "é", "AAAA", "trusted comment: ", &"A".repeat(100)] {
            let mut lines = lines.clone();
            lines[line] = other;
            // A trusted comment that is as long as that is not malformed, only not signed.
            assert!(check(MODULE, Some(&lines.join("\n")), &keys(&[KEY])).is_err());
        }
        assert!(check(MODULE, Some(&lines[..line].join("\n")), &keys(&[KEY])).is_err());
    }
    for end in 0..SIGNATURE.len() - 3 {
        assert!(
            check(MODULE, Some(&SIGNATURE[..end]), &keys(&[KEY])).is_err(),
            "{end}"
        );
    }
}

#[test]
fn the_file_lies_beside_the_module() {
    let dir = tempfile::tempdir().unwrap();
    let module = dir.path().join("a.wasm");
    assert_eq!(beside(&module), Ok(None));
    fs::write(dir.path().join("a.wasm.minisig"), SIGNATURE).unwrap();
    assert_eq!(beside(&module).unwrap().as_deref(), Some(SIGNATURE));
    fs::write(file_of(&module), vec![b'x'; 1 << 20]).unwrap();
    assert!(beside(&module).unwrap_err().contains("too long"));
    fs::write(file_of(&module), b"\xff").unwrap();
    assert!(beside(&module).unwrap_err().contains("not text"));
    fs::remove_file(file_of(&module)).unwrap();
    fs::create_dir(file_of(&module)).unwrap();
    assert!(beside(&module).unwrap_err().contains("not a file"));
}
