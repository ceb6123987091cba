//! Hours in which nothing is tagged: `22:00-07:00` in, whether a time of day is among them out.
//!
//! Invariant: what is shown is read back as the same. Knows no clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// From a minute of the day to another, which may be on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: u16,
    to: u16,
}

/// What is no span of hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no span of hours; write for example 22:00-07:00")]
pub struct NoHours(String);

impl QuietHours {
    /// Whether this minute of the day is among them.
    pub fn contains(self, minute: u16) -> bool {
        let since = (minute + DAY - self.from) % DAY;
        since < (self.to + DAY - self.from) % DAY
    }
}

impl FromStr for QuietHours {
    type Err = NoHours;

    fn from_str(text: &str) -> Result<QuietHours, NoHours> {
        let no_hours = || NoHours(text.to_owned());
        let (from, to) = text.trim().split_once(['-', '–']).ok_or_else(no_hours)?;
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            let is_time = minute < 60 && (hour < 24 || (hour, minute) == (24, 0));
            is_time.then_some((hour * 60 + minute) % DAY)
        };
        let hours = QuietHours {
            from: minute(from).ok_or_else(no_hours)?,
            to: minute(to).ok_or_else(no_hours)?,
        };
        if hours.from == hours.to {
            return Err(no_hours()); // All day or never? Pausing says it better.
        }
        Ok(hours)
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{}-{}", time(self.from), time(self.to))
    }
}

impl Serialize for QuietHours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for QuietHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<QuietHours, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_over_midnight() {
        let night: QuietHours = "22:00-07:00".parse().unwrap();
        let noon: QuietHours = "12-13:30".parse().unwrap();
        let at = |hour: u16, minute: u16| hour * 60 + minute;
        assert!(night.contains(at(22, 0)) && night.contains(at(0, 0)) && night.contains(at(6, 59)));
        assert!(!night.contains(at(7, 0)) && !night.contains(at(21, 59)));
        assert!(noon.contains(at(13, 29)) && !noon.contains(at(13, 30)) && !noon.contains(0));
    }

    #[test]
    fn hours_are_read_back_and_nonsense_is_refused() {
        for text in ["22:00-07:00", "00:00-06:30"] {
            assert_eq!(text.parse::<QuietHours>().unwrap().to_string(), text);
        }
        assert_eq!("0-24".parse::<QuietHours>().ok(), None);
        for text in [
            "",
            "22:00",
            "22:00-",
            "25:00-07:00",
            "10:60-11:00",
            "a-b",
            "8-8",
        ] {
            assert!(text.parse::<QuietHours>().is_err(), "{text}");
        }
    }
}
