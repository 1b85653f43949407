//! Counts of allocations: of an answer, from its bytes to the C report that is read and freed, and of the queue, in the thread
//! that uses it. A submit allocates only the copy of the message, a poll only the handle of the report.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::CString;
use std::ptr::{null, null_mut};

use crate::ffi::client::*;
use crate::ffi::config::*;
use crate::ffi::constants::*;
use crate::ffi::message::rtcmsg_message;
use crate::ffi::queue::*;
use crate::ffi::report::*;
use crate::ffi::rtcmsg_str;
use crate::log::Logger;
use crate::message::{Message, Recipients};
use crate::report::{Outcome, Report};
use crate::{volcengine, zego};

/// An allocator that counts the allocations of this thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it calls the system's allocator. The counter allocates nothing.
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

/// The number of allocations of `work`, and its result.
fn counted<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let result = work();
    (COUNT.get() - before, result)
}

struct Cost {
    /// From the bytes of the answer to the handle for C.
    report: usize,
    /// The first read of its rows, and the next.
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
        rtcmsg_report_recipient_count(handle);
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

/// Reads an answer of IM for ids, and of RTC for names.
fn read_volcengine(to: Recipients, status: u16, body: &[u8]) -> Outcome {
    volcengine::answer::read(&Message::any_to(to), status, body)
}

const ACCEPTED: &[u8] = br#"{"ResponseMetadata":{"RequestId":"r","Action":"","Version":"2020-12-01","Service":"rtc"},"Result":{"Message":"Success"}}"#;
const FAIL_USERS: &[u8] = include_bytes!("../../tests/answers/zego-SendCustomCommand.json");

#[test]
fn a_report_of_one_recipient_takes_at_most_5_allocations() {
    let names: Vec<String> = (0..600).map(|index| format!("user-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (to, body, most) in [
        (Recipients::All, ACCEPTED, 3),
        // The name, the request id, the row, the request, the handle.
        (Recipients::One("alice"), ACCEPTED, 5),
        // Two for the text that all names share.
        (Recipients::Names(&names), ACCEPTED, 6),
    ] {
        let cost = cost(read_volcengine, to, body);
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
    let cost = cost(read_volcengine, Recipients::Ids(&ids), body.as_bytes());
    assert!(cost.report <= 500 + 15, "{}", cost.report);
    assert!(cost.first_look <= 4, "{}", cost.first_look);
    assert_eq!(cost.next_look, 0);
}

fn text(text: &'static str) -> rtcmsg_str {
    rtcmsg_str {
        data: text.as_ptr().cast(),
        len: text.len(),
    }
}

fn empty(action: u32) -> rtcmsg_message {
    rtcmsg_message {
        struct_size: size_of::<rtcmsg_message>(),
        action,
        payload: "hello".as_ptr().cast(),
        payload_len: 5,
        // SAFETY: zero is "not given" for every field.
        ..unsafe { std::mem::zeroed() }
    }
}

/// A client whose vendors do not exist. Only the allocations of the submitting thread are counted.
fn client() -> *mut rtcmsg_client {
    unsafe {
        let config = rtcmsg_config_new();
        for (key, value) in [
            ("volcengine.endpoint", "http://127.0.0.1:9"),
            ("volcengine.access_key", "AKLTdemo"),
            ("volcengine.secret_key", "demo-secret-key=="),
            ("volcengine.rtc_app_id", "app"),
            ("volcengine.im_app_id", "1"),
            ("zego.endpoint", "http://127.0.0.1:9"),
            ("zego.app_id", "1234567890"),
            ("zego.server_secret", "0123456789abcdef0123456789abcdef"),
            ("retry.max_attempts", "1"),
        ] {
            let (key, value) = (CString::new(key).unwrap(), CString::new(value).unwrap());
            assert_eq!(rtcmsg_config_set(config, key.as_ptr(), value.as_ptr(), null_mut()), 0);
        }
        let mut client = null_mut();
        assert_eq!(rtcmsg_client_new(config, &mut client, null_mut()), 0);
        rtcmsg_config_free(config);
        client
    }
}

/// The inbox allocates memory for this number of messages at a time.
const BLOCK_LENGTH: usize = 31;

#[test]
fn a_submit_allocates_the_message_and_its_texts_and_nothing_else() {
    let names: Vec<String> = (0..600).map(|index| format!("user-{index}")).collect();
    let to: Vec<rtcmsg_str> = names
        .iter()
        .map(|name| rtcmsg_str {
            data: name.as_ptr().cast(),
            len: name.len(),
        })
        .collect();
    let user_ids: Vec<i64> = (1..=500).collect();
    let room = rtcmsg_message {
        room_id: text("lobby"),
        from: text("server"),
        ..empty(rtcmsg_action_values::RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST as u32)
    };
    let signal = rtcmsg_message {
        conversation_id: 1,
        sender_id: 2,
        msg_type: 3,
        ..empty(rtcmsg_action_values::RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL as u32)
    };
    let messages = [
        rtcmsg_message {
            from: text("server"),
            to: to.as_ptr(),
            to_count: 1,
            ..empty(rtcmsg_action_values::RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST as u32)
        },
        rtcmsg_message {
            action: rtcmsg_action_values::RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST as u32,
            to: to.as_ptr(),
            to_count: 600,
            ..room
        },
        room,
        rtcmsg_message {
            action: rtcmsg_action_values::RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS as u32,
            user_ids: user_ids.as_ptr(),
            user_id_count: 500,
            ..signal
        },
        signal,
        rtcmsg_message {
            action: rtcmsg_action_values::RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS as u32,
            to: to.as_ptr(),
            to_count: 10,
            ..room
        },
    ];
    unsafe {
        let client = client();
        let mut id = 0;
        let mut submit = |message: &rtcmsg_message| {
            let before = COUNT.get();
            assert_eq!(rtcmsg_client_submit(client, message, null(), &mut id, null_mut()), 0);
            COUNT.get() - before
        };
        // The first of each makes what the thread keeps: the queue, the tables.
        for message in &messages {
            submit(message);
        }
        for message in &messages {
            let all: usize = (0..310).map(|_| submit(message)).sum();
            assert!(
                all <= 2 * 310 + 310 / BLOCK_LENGTH + 1,
                "{all} for 310 of action {}",
                message.action
            );
        }
        rtcmsg_client_free(client);
    }
}

#[test]
fn a_poll_makes_the_reports_handle_and_the_first_look_at_its_rows_the_rest() {
    let to = [text("alice")];
    let message = rtcmsg_message {
        from: text("server"),
        to: to.as_ptr(),
        to_count: 1,
        ..empty(rtcmsg_action_values::RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST as u32)
    };
    const MESSAGES: u64 = 10;
    unsafe {
        let client = client();
        for id in 1..=MESSAGES {
            let mut given = 0;
            assert_eq!(
                rtcmsg_client_submit(client, &message, null(), &mut given, null_mut()),
                0
            );
            assert_eq!(given, id);
        }
        assert_eq!(rtcmsg_client_flush(client, 60_000, null_mut()), 0);
        for id in 1..=MESSAGES {
            let mut row: rtcmsg_completion = std::mem::zeroed();
            let mut count = 0;
            let before = COUNT.get();
            let code = rtcmsg_client_poll(
                client,
                0,
                &mut row,
                size_of::<rtcmsg_completion>(),
                1,
                &mut count,
                null_mut(),
            );
            let polled = COUNT.get() - before;
            assert_eq!((code, count, row.id), (0, 1, id));
            let look = || {
                let before = COUNT.get();
                assert!(!rtcmsg_report_request(row.report, 0).is_null());
                assert!(!rtcmsg_report_recipient(row.report, 0).is_null());
                COUNT.get() - before
            };
            // Requests, attempts, recipients, texts.
            let (first, next) = (look(), look());
            // The first of all makes what the thread keeps.
            if id > 1 {
                assert_eq!(polled, 1);
            }
            assert!(first <= 4, "{first}");
            assert_eq!(next, 0);
            rtcmsg_report_free(row.report);
        }
        rtcmsg_client_free(client);
    }
}
