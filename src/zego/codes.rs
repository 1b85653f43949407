//! The codes of ZEGO as a table: VENDORS.md, the table below SendCustomCommand.

use crate::report::ErrorClass;
use crate::report::ErrorClass::*;

/// A range of codes, both ends included, and their class.
struct Row(i32, i32, ErrorClass);

const ROWS: &[Row] = &[
    Row(1, 1, OutcomeUnknown),
    Row(2, 3, InvalidRequest),
    Row(7, 7, Throttled),
    Row(9, 9, Permission),
    Row(104, 105, NotDelivered),
    Row(206, 207, Throttled),
    Row(1008, 1008, InvalidRequest),
    Row(5024, 5024, NotDelivered),
    Row(50001, 50001, NotDelivered),
    Row(50003, 50003, NotDelivered),
    Row(50011, 50012, InvalidRequest),
    Row(50013, 50013, UnknownIfSeveral),
    Row(100000001, 100000003, InvalidRequest),
    Row(100000004, 100000004, Clock),
    Row(100000005, 100000005, Authentication),
    Row(100000006, 100000006, InvalidRequest),
    Row(100000007, 100000007, Configuration),
    Row(100000008, 100000009, InvalidRequest),
    Row(100000010, 100000010, Authentication),
    Row(100000013, 100000014, InvalidRequest),
    Row(100000015, 100000015, OutcomeUnknown),
    Row(100000016, 100000017, Configuration),
];

/// The class of a code that is not 0: by the table, then by the HTTP status.
pub(super) fn classify(code: i32, status: u16) -> ErrorClass {
    let row = ROWS.iter().find(|row| (row.0..=row.1).contains(&code));
    row.map_or_else(|| ErrorClass::by_status(status), |row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_in_order_and_do_not_overlap() {
        for pair in ROWS.windows(2) {
            assert!(
                pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0,
                "{} {}",
                pair[0].0,
                pair[1].0
            );
        }
    }

    #[test]
    fn a_code_no_row_has_is_judged_by_the_status() {
        assert_eq!(classify(100000011, 200), OutcomeUnknown);
        assert_eq!(classify(-5, 400), InvalidRequest);
        assert_eq!(classify(100000009, 200), InvalidRequest);
    }
}
