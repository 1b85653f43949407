//! The time of one request, and the formats in which the vendors write it. Everything is UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a request was processed, by both clocks. Both are read once, so that all checks of a request see the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub unix_seconds: i64,
    pub milliseconds: u32,
    pub steady: Duration,
}

impl Moment {
    pub fn new(wall: SystemTime, steady: Duration) -> Self {
        let since_epoch = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            unix_seconds: i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX),
            milliseconds: since_epoch.subsec_millis(),
            steady,
        }
    }

    /// This moment by a wall clock that is `seconds` ahead.
    pub fn shifted(self, seconds: i64) -> Self {
        Self {
            unix_seconds: self.unix_seconds.saturating_add(seconds),
            ..self
        }
    }

    pub fn civil(&self) -> Civil {
        Civil::from_unix(self.unix_seconds)
    }
}

/// A date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

const SECONDS_PER_DAY: i64 = 86_400;

impl Civil {
    pub fn from_unix(unix_seconds: i64) -> Self {
        let days = unix_seconds.div_euclid(SECONDS_PER_DAY);
        let second_of_day = unix_seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }

    pub fn unix_seconds(&self) -> i64 {
        days_until(self.year, self.month, self.day) * SECONDS_PER_DAY
            + self.hour * 3600
            + self.minute * 60
            + self.second
    }

    /// Reads `YYYYMMDDTHHMMSSZ`, the format of `X-Date`. A date that does not exist, like 30 February, is refused.
    pub fn from_x_date(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |from: usize, to: usize| {
            let digits = &bytes[from..to];
            digits.iter().try_fold(0_i64, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
            })
        };
        let civil = Self {
            year: number(0, 4)?,
            month: number(4, 6)?,
            day: number(6, 8)?,
            hour: number(9, 11)?,
            minute: number(11, 13)?,
            second: number(13, 15)?,
        };
        (Self::from_unix(civil.unix_seconds()) == civil).then_some(civil)
    }

    /// `YYYYMMDDHHMMSS`, the first part of a Volcengine request id.
    pub fn digits(&self) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
    }

    /// The format of HTTP's `Date` header.
    pub fn http_date(&self) -> String {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        let weekday = days_until(*year, *month, *day).rem_euclid(7);
        let weekday = WEEKDAYS[usize::try_from(weekday).unwrap_or(0)];
        let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

/// The days from 1970-01-01 to a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_until`]: year, month, day.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_x_date_is_read_as_unix_seconds() {
        let known = [
            ("19700101T000000Z", 0),
            ("20000229T235959Z", 951_868_799),
            ("20240619T071306Z", 1_718_781_186),
            ("21000228T120000Z", 4_107_499_200),
        ];
        for (text, unix_seconds) in known {
            let civil = Civil::from_x_date(text).unwrap();
            assert_eq!(civil.unix_seconds(), unix_seconds, "{text}");
            assert_eq!(Civil::from_unix(unix_seconds), civil, "{text}");
        }
    }

    #[test]
    fn an_x_date_that_is_no_date_is_refused() {
        for text in [
            "",
            "20240619",
            "20240619T071306",
            "20240619 071306Z",
            "20240230T000000Z",
            "2024061xT071306Z",
            "20240619T240000Z",
        ] {
            assert_eq!(Civil::from_x_date(text), None, "{text}");
        }
    }

    #[test]
    fn the_date_header_names_the_weekday() {
        assert_eq!(
            Civil::from_unix(784_111_777).http_date(),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(
            Civil::from_unix(1_718_781_186).http_date(),
            "Wed, 19 Jun 2024 07:13:06 GMT"
        );
    }
}
