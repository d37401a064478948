use super::*;

#[test]
fn durations() {
    let read = |text| Duration::from_text(text).ok();
    assert_eq!(read("25s"), Some(Duration::from_secs(25)));
    assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
    assert_eq!(read("1h30m"), Some(Duration::from_secs(5400)));
    assert_eq!(read("1m"), Some(Duration::from_secs(60)));
    assert_eq!(read(""), None);
    assert_eq!(read("-1s"), None);
    assert_eq!(read("1 fortnight"), None);
    let Wrong(what) = Duration::from_text("25").unwrap_err();
    assert!(what.contains("unit"), "{what}");
    let Wrong(what) = Duration::from_value(&ValueKind::I64(0)).unwrap_err();
    assert!(what.contains("unit"), "{what}");
}

#[test]
fn sizes() {
    let read = |text| Size::from_text(text).ok().map(|size| size.0);
    assert_eq!(read("1MiB"), Some(1_048_576));
    assert_eq!(read("64KB"), Some(64_000));
    assert_eq!(read("64 kB"), Some(64_000));
    assert_eq!(read("1MB"), Some(1_000_000));
    assert_eq!(read("1000000"), Some(1_000_000));
    assert_eq!(read("10B"), Some(10));
    for wrong in ["", "MB", "-1", "1.5MB", "1XB", "1M", "99999999999GiB", "é"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
    assert_eq!(Size::from_value(&ValueKind::I64(7)), Ok(Size(7)));
    assert!(Size::from_value(&ValueKind::I64(-7)).is_err());
}

#[test]
fn lists() {
    let read = |text| Vec::<String>::from_text(text);
    assert_eq!(read(r#"["a", 'b',]"#).unwrap(), ["a", "b"]);
    assert!(read("[]").unwrap().is_empty());
    for wrong in [
        "a",
        "a,b",
        "",
        "[1]",
        "[\"\"]",
        "[]\nx=1",
        "{}",
        "[\"a\"] x",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn counts() {
    assert_eq!(usize::from_value(&ValueKind::I64(4)), Ok(4));
    for wrong in ["0", "-1", "1.5", "four", ""] {
        assert!(usize::from_text(wrong).is_err(), "{wrong}");
    }
    assert!(usize::from_value(&ValueKind::Float(4.0)).is_err());
    assert!(usize::from_value(&ValueKind::String("4".to_owned())).is_err());
}
