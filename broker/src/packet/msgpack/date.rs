//! Dates as JavaScript writes them into JSON.

/// The first and the last moment that a `Date` can be, in milliseconds.
const FURTHEST: i64 = 8_640_000_000_000_000;
const DAY: i64 = 86_400_000;

/// `2026-11-24T15:09:39.000Z`, for milliseconds since 1970; `None` for what is no date in JavaScript, whose JSON is
/// `null`. Years that do not have four digits are written with a sign and six.
pub(super) fn iso(milliseconds: i64) -> Option<String> {
    if !(-FURTHEST..=FURTHEST).contains(&milliseconds) {
        return None;
    }
    let (year, month, day) = civil(milliseconds.div_euclid(DAY));
    let time = milliseconds.rem_euclid(DAY);
    let (hour, minute) = (time / 3_600_000, time / 60_000 % 60);
    let (second, fraction) = (time / 1000 % 60, time % 1000);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    Some(format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z"
    ))
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years are counted from March, so that the leap
/// day is a year's last, in eras of 400 years, which are all of the same length.
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    // Days from 1 March of the year 0 to 1 January 1970.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `new Date(n).toJSON()`.
    #[test]
    fn as_javascript_writes_them() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_795_532_979_123, "2026-11-24T15:09:39.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (FURTHEST, "+275760-09-13T00:00:00.000Z"),
            (-FURTHEST, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(iso(milliseconds).as_deref(), Some(expected));
        }
        for none in [FURTHEST + 1, -FURTHEST - 1, i64::MAX, i64::MIN] {
            assert_eq!(iso(none), None);
        }
    }
}
