//! What an answer costs on its way back, counted: from its bytes to the C report that is read and freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::report::*;
use crate::log::Logger;
use crate::message::Recipients;
use crate::report::{Outcome, Report};
use crate::{volcengine, zego};

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's own, with a count beside it that allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates.
fn counted<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let result = work();
    (COUNT.get() - before, result)
}

struct Cost {
    /// From the answer's bytes to the handle that C gets.
    report: usize,
    /// The first look at its rows, and the next.
    first_look: usize,
    next_look: usize,
}

fn cost(read: fn(Recipients, u16, &[u8]) -> Outcome, to: Recipients, body: &[u8]) -> Cost {
    let (report, handle) = counted(|| {
        let report = Report::merged("Action", [read(to, 200, body)]);
        Box::into_raw(Box::new(rtcmsg_report::new(report, Logger::default())))
    });
    // SAFETY: a live report, freed once.
    let look = || unsafe {
        rtcmsg_report_count(handle, 0);
        rtcmsg_report_request(handle, 0);
        rtcmsg_report_recipient(handle, 0);
        rtcmsg_report_device(handle, 0);
    };
    let ((first_look, ()), (next_look, ())) = (counted(look), counted(look));
    // SAFETY: as above.
    unsafe { rtcmsg_report_free(handle) };
    Cost {
        report,
        first_look,
        next_look,
    }
}

const TAKEN: &[u8] = include_bytes!("../../tests/answers/volcengine-SendUnicast.json");
const FAIL_USERS: &[u8] = include_bytes!("../../tests/answers/zego-SendCustomCommand.json");

#[test]
fn a_report_of_one_recipient_takes_at_most_5_allocations() {
    let names: Vec<String> = (0..600).map(|index| format!("user-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (to, body, most) in [
        (Recipients::Everybody, TAKEN, 3),
        // The name, the request id, the row, the request, the handle.
        (Recipients::One("alice"), TAKEN, 5),
        // Two for the text that all names share.
        (Recipients::Names(&names), TAKEN, 6),
    ] {
        let cost = cost(volcengine::answer::read, to, body);
        assert!(cost.report <= most, "{} for {}", cost.report, to.len());
        // Requests, recipients, texts.
        assert!(cost.first_look <= 3, "{} for {}", cost.first_look, to.len());
        assert_eq!(cost.next_look, 0);
    }
    let cost = cost(zego::answer::read, Recipients::Names(&["user1", "1111"]), FAIL_USERS);
    assert!(cost.report <= 8, "{}", cost.report);
}

#[test]
fn a_row_of_im_takes_one_allocation_for_its_devices() {
    let ids: Vec<i64> = (1..=500).collect();
    let rows = ids
        .iter()
        .map(|id| format!(r#"{{"UserId":{id},"Code":"SUCCESS","DevicePlatform":"Web"}}"#));
    let rows = rows.collect::<Vec<_>>().join(",");
    let body = format!(r#"{{"ResponseMetadata":{{"RequestId":"r"}},"Result":{{"P2PResult":[{rows}]}}}}"#);
    let cost = cost(volcengine::answer::read, Recipients::Ids(&ids), body.as_bytes());
    assert!(cost.report <= 500 + 15, "{}", cost.report);
    assert!(cost.first_look <= 4, "{}", cost.first_look);
    assert_eq!(cost.next_look, 0);
}
