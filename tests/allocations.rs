//! What the queue costs the thread that uses it: a submit the message's own copy, a poll the report's handle, and nothing
//! else.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};

// Links the library whose C functions are declared below.
use rtcmsg as _;

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's own, with a count beside it that allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
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

#[repr(C)]
#[derive(Clone, Copy)]
struct Str {
    data: *const c_char,
    len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Message {
    struct_size: usize,
    action: u32,
    flags: u32,
    room_id: Str,
    from: Str,
    to: *const Str,
    to_count: usize,
    conversation_id: i64,
    sender_id: i64,
    user_ids: *const i64,
    user_id_count: usize,
    msg_type: i32,
    reserved: u32,
    payload: *const c_void,
    payload_len: usize,
}

#[repr(C)]
struct Completion {
    id: u64,
    user_data: u64,
    code: i32,
    delivery: u32,
    report: *mut c_void,
}

unsafe extern "C" {
    fn rtcmsg_config_new() -> *mut c_void;
    fn rtcmsg_config_free(config: *mut c_void);
    fn rtcmsg_config_set(config: *mut c_void, key: *const c_char, value: *const c_char, error: *mut c_void) -> i32;
    fn rtcmsg_client_new(config: *mut c_void, client: *mut *mut c_void, error: *mut c_void) -> i32;
    fn rtcmsg_client_submit(
        client: *mut c_void,
        message: *const Message,
        call: *const c_void,
        id: *mut u64,
        error: *mut c_void,
    ) -> i32;
    fn rtcmsg_client_flush(client: *mut c_void, timeout_ms: i32, error: *mut c_void) -> i32;
    fn rtcmsg_client_poll(
        client: *mut c_void,
        timeout_ms: i32,
        rows: *mut Completion,
        row_size: usize,
        capacity: usize,
        count: *mut usize,
        error: *mut c_void,
    ) -> i32;
    fn rtcmsg_client_free(client: *mut c_void);
    fn rtcmsg_report_recipient(report: *const c_void, index: usize) -> *const c_void;
    fn rtcmsg_report_request(report: *const c_void, index: usize) -> *const c_void;
    fn rtcmsg_report_free(report: *mut c_void);
}

const NONE: Str = Str { data: null(), len: 0 };

fn text(text: &'static str) -> Str {
    Str {
        data: text.as_ptr().cast(),
        len: text.len(),
    }
}

fn empty(action: u32) -> Message {
    Message {
        struct_size: size_of::<Message>(),
        action,
        flags: 0,
        room_id: NONE,
        from: NONE,
        to: null(),
        to_count: 0,
        conversation_id: 0,
        sender_id: 0,
        user_ids: null(),
        user_id_count: 0,
        msg_type: 0,
        reserved: 0,
        payload: "hello".as_ptr().cast(),
        payload_len: 5,
    }
}

/// A client whose vendors are not there: what happens behind the queue is none of the submitting thread's.
unsafe fn client() -> *mut c_void {
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

#[test]
fn a_submit_allocates_the_messages_copy_and_nothing_else() {
    let names: Vec<String> = (0..600).map(|index| format!("user-{index}")).collect();
    let to: Vec<Str> = names
        .iter()
        .map(|name| Str {
            data: name.as_ptr().cast(),
            len: name.len(),
        })
        .collect();
    let user_ids: Vec<i64> = (1..=500).collect();
    let room = Message {
        room_id: text("lobby"),
        from: text("server"),
        ..empty(104)
    };
    let signal = Message {
        conversation_id: 1,
        sender_id: 2,
        msg_type: 3,
        ..empty(112)
    };
    let messages = [
        Message {
            from: text("server"),
            to: to.as_ptr(),
            to_count: 1,
            ..empty(101)
        },
        Message {
            action: 103,
            to: to.as_ptr(),
            to_count: 600,
            ..room
        },
        room,
        Message {
            action: 111,
            user_ids: user_ids.as_ptr(),
            user_id_count: 500,
            ..signal
        },
        signal,
        Message {
            action: 201,
            to: to.as_ptr(),
            to_count: 10,
            ..room
        },
    ];
    unsafe {
        let client = client();
        let mut id = 0;
        let mut submit = |message: &Message| {
            let before = COUNT.get();
            assert_eq!(rtcmsg_client_submit(client, message, null(), &mut id, null_mut()), 0);
            COUNT.get() - before
        };
        // The first of each makes what the thread keeps: the queue, the tables.
        for message in &messages {
            submit(message);
        }
        for message in &messages {
            for _ in 0..100 {
                assert_eq!(submit(message), 1, "action {}", message.action);
            }
        }
        rtcmsg_client_free(client);
    }
}

#[test]
fn a_poll_makes_the_reports_handle_and_the_first_look_at_its_rows_the_rest() {
    let to = [text("alice")];
    let message = Message {
        from: text("server"),
        to: to.as_ptr(),
        to_count: 1,
        ..empty(101)
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
            let mut row: Completion = std::mem::zeroed();
            let mut count = 0;
            let before = COUNT.get();
            let code = rtcmsg_client_poll(client, 0, &mut row, size_of::<Completion>(), 1, &mut count, null_mut());
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
