//! Moments as people write them, and as they read them.
//!
//! Input: `yesterday`, `2 hours ago`, a date, an RFC 3339 time; and the present. Output: a moment.
//! Only `now` and `seconds_now` look at the clock.

use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp, ToSpan as _, ZonedDateTime};

/// The present, here.
pub(crate) fn now() -> ZonedDateTime {
    ZonedDateTime::now()
}

/// The present, in seconds since 1970.
pub(crate) fn seconds_now() -> u64 {
    u64::try_from(now().timestamp().as_second()).unwrap_or(0)
}

/// The moment that `text` means at `now`.
pub(crate) fn parse(text: &str, now: &ZonedDateTime) -> Result<Timestamp, String> {
    let text = text.trim();
    let fault = || {
        format!(
            "`{text}` is no moment; write for example `2 hours ago`, `yesterday`, `2026-11-23` or `2026-11-23T18:00:00Z`"
        )
    };
    let day = |back: i64| {
        let day = now
            .checked_sub(back.days())
            .and_then(|day| day.start_of_day());
        day.map(|day| day.timestamp()).map_err(|_| fault())
    };
    match text.to_lowercase().as_str() {
        "now" => return Ok(now.timestamp()),
        "today" => return day(0),
        "yesterday" => return day(1),
        _ => {}
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local = match (text.parse::<DateTime>(), text.parse::<Date>()) {
        (Ok(time), _) => Some(time),
        (_, Ok(date)) => Some(date.into()),
        _ => None,
    };
    if let Some(local) = local {
        let moment = local.to_zoned_datetime(now.time_zone().clone());
        return moment.map(|m| m.timestamp()).map_err(|_| fault());
    }
    let span: Span = text.parse().map_err(|_| fault())?;
    // `2 hours` means what `2 hours ago` does: nothing was written in the future.
    let moment = now.checked_sub(span.abs()).map_err(|_| fault())?;
    Ok(moment.timestamp())
}

/// A moment in seconds since 1970 as a person here reads it.
pub(crate) fn shown(seconds: u64, now: &ZonedDateTime) -> String {
    match moment(seconds) {
        Some(moment) => {
            let here = moment.to_zoned_datetime(now.time_zone().clone());
            here.strftime("%Y-%m-%d %H:%M").to_string()
        }
        None => "?".to_owned(),
    }
}

/// The same for a script: RFC 3339.
pub(crate) fn record(seconds: u64) -> Option<String> {
    moment(seconds).map(|moment| moment.to_string())
}

fn moment(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> ZonedDateTime {
        "2026-11-23T18:30:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    #[test]
    fn a_moment_is_written_in_many_ways() {
        for (text, expected) in [
            ("2 hours ago", "2026-11-23T15:30:00Z"),
            ("2 hours", "2026-11-23T15:30:00Z"),
            ("90m", "2026-11-23T16:00:00Z"),
            ("3 days ago", "2026-11-20T17:30:00Z"),
            ("1 week", "2026-11-16T17:30:00Z"),
            ("Yesterday", "2026-11-21T23:00:00Z"),
            ("today", "2026-11-22T23:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20 12:00", "2026-11-20T11:00:00Z"),
            ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"),
            ("now", "2026-11-23T17:30:00Z"),
        ] {
            let moment = parse(text, &now()).map(|moment| moment.to_string());
            assert_eq!(moment.as_deref(), Ok(expected), "{text}");
        }
        let fault = parse("soon", &now()).unwrap_err();
        assert!(
            fault.starts_with("`soon` is no moment; write for example"),
            "{fault}"
        );
    }

    #[test]
    fn a_moment_is_read_as_the_clock_on_the_wall() {
        let seconds = parse("now", &now()).unwrap().as_second() as u64;
        assert_eq!(shown(seconds, &now()), "2026-11-23 18:30");
        assert_eq!(record(seconds).as_deref(), Some("2026-11-23T17:30:00Z"));
        assert_eq!(shown(u64::MAX, &now()), "?");
    }
}
