//! A panic in each exported function gives RTCMSG_ERR_INTERNAL or the function's empty value, and a log line, and the client still
//! works. The test calls the functions through the C ABI, as a C program does.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

// Links the library whose C functions are declared below.
use rtcmsg as _;
use rtcmsg_emulator::{Emulator, Options};

const INTERNAL: i32 = -99;

#[repr(C)]
#[derive(Clone, Copy)]
struct Str {
    data: *const c_char,
    len: usize,
}

#[repr(C)]
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
struct Error {
    struct_size: usize,
    code: i32,
    reserved: u32,
    field: [c_char; 48],
    message: [c_char; 448],
}

type Handle = *mut c_void;
type LogFn = unsafe extern "C" fn(*mut c_void, i32, *const c_char);

// The declarations of rtcmsg.h, with a plain pointer for every handle.
unsafe extern "C" {
    fn rtcmsg_test_panic_in(name: *const c_char);
    fn rtcmsg_code_name(code: i32) -> *const c_char;
    fn rtcmsg_delivery_name(delivery: u32) -> *const c_char;
    fn rtcmsg_code_text(code: i32) -> *const c_char;
    fn rtcmsg_version() -> u32;
    fn rtcmsg_version_string() -> *const c_char;
    fn rtcmsg_config_new() -> Handle;
    fn rtcmsg_config_free(config: Handle);
    fn rtcmsg_config_set(config: Handle, key: *const c_char, value: *const c_char, error: *mut Error) -> i32;
    fn rtcmsg_config_load_env(config: Handle, error: *mut Error) -> i32;
    fn rtcmsg_config_set_log(config: Handle, log: LogFn, data: *mut c_void, level: i32, error: *mut Error) -> i32;
    fn rtcmsg_client_new(config: Handle, client: *mut Handle, error: *mut Error) -> i32;
    fn rtcmsg_client_check(client: Handle, message: *const Message, error: *mut Error) -> i32;
    fn rtcmsg_client_send(
        client: Handle,
        message: *const Message,
        call: *const c_void,
        report: *mut Handle,
        error: *mut Error,
    ) -> i32;
    fn rtcmsg_client_call_action(
        client: Handle,
        vendor: u32,
        action: *const c_char,
        version: *const c_char,
        json: Str,
        call: *const c_void,
        report: *mut Handle,
        error: *mut Error,
    ) -> i32;
    fn rtcmsg_client_set_credentials(
        client: Handle,
        vendor: u32,
        key_id: Str,
        secret: Str,
        session_token: Str,
        error: *mut Error,
    ) -> i32;
    fn rtcmsg_client_submit(
        client: Handle,
        message: *const Message,
        call: *const c_void,
        id: *mut u64,
        error: *mut Error,
    ) -> i32;
    fn rtcmsg_client_poll(
        client: Handle,
        timeout_ms: i32,
        rows: *mut c_void,
        row_size: usize,
        capacity: usize,
        count: *mut usize,
        error: *mut Error,
    ) -> i32;
    fn rtcmsg_client_event_handle(client: Handle, handle: *mut isize, error: *mut Error) -> i32;
    fn rtcmsg_client_cancel(client: Handle, id: u64, error: *mut Error) -> i32;
    fn rtcmsg_client_pending(client: Handle) -> usize;
    fn rtcmsg_client_flush(client: Handle, timeout_ms: i32, error: *mut Error) -> i32;
    fn rtcmsg_client_warm_up(client: Handle, connections: u32, error: *mut Error) -> i32;
    fn rtcmsg_client_stats(
        client: Handle,
        json: *mut c_char,
        capacity: usize,
        needed: *mut usize,
        error: *mut Error,
    ) -> i32;
    fn rtcmsg_client_next_log_line(
        client: Handle,
        level: *mut i32,
        text: *mut c_char,
        capacity: usize,
        needed: *mut usize,
        error: *mut Error,
    ) -> i32;
    fn rtcmsg_client_close(client: Handle, timeout_ms: i32, error: *mut Error) -> i32;
    fn rtcmsg_client_free(client: Handle);
    fn rtcmsg_report_code(report: Handle) -> i32;
    fn rtcmsg_report_delivery(report: Handle) -> u32;
    fn rtcmsg_report_summary(report: Handle) -> *const c_char;
    fn rtcmsg_report_recipient_count(report: Handle) -> usize;
    fn rtcmsg_report_count_by_delivery(report: Handle, delivery: u32) -> usize;
    fn rtcmsg_report_request_count(report: Handle) -> usize;
    fn rtcmsg_report_request(report: Handle, index: usize) -> *const c_void;
    fn rtcmsg_report_attempt(report: Handle, index: usize) -> *const c_void;
    fn rtcmsg_report_recipient(report: Handle, index: usize) -> *const c_void;
    fn rtcmsg_report_device(report: Handle, index: usize) -> *const c_void;
    fn rtcmsg_report_body(report: Handle, len: *mut usize) -> *const c_char;
    fn rtcmsg_report_free(report: Handle);
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

unsafe extern "C" fn keep_line(_: *mut c_void, _: i32, text: *const c_char) {
    let line = unsafe { CStr::from_ptr(text) }.to_str().expect("UTF-8").to_owned();
    LINES.lock().unwrap().push(line);
}

fn str(text: &'static CStr) -> Str {
    Str {
        data: text.as_ptr(),
        len: text.count_bytes(),
    }
}

fn unicast(to: &Str) -> Message {
    Message {
        struct_size: size_of::<Message>(),
        action: 101,
        flags: 0,
        room_id: Str { data: null(), len: 0 },
        from: str(c"server"),
        to,
        to_count: 1,
        conversation_id: 0,
        sender_id: 0,
        user_ids: null(),
        user_id_count: 0,
        msg_type: 0,
        reserved: 0,
        payload: c"hi".as_ptr().cast(),
        payload_len: 2,
    }
}

/// Calls `function` with a panic injected into it, and returns its value and the log lines.
fn panicking<T>(name: &str, tested: &mut BTreeSet<String>, function: impl FnOnce() -> T) -> (T, Vec<String>) {
    tested.insert(name.to_owned());
    LINES.lock().unwrap().clear();
    let target = CString::new(name).unwrap();
    unsafe { rtcmsg_test_panic_in(target.as_ptr()) };
    let value = function();
    unsafe { rtcmsg_test_panic_in(null()) };
    (value, LINES.lock().unwrap().clone())
}

/// Checks that the code is RTCMSG_ERR_INTERNAL, and that the error and, if `logged`, exactly one log line name the function.
fn internal(name: &str, tested: &mut BTreeSet<String>, logged: bool, function: impl FnOnce(*mut Error) -> i32) {
    let mut error = Error {
        struct_size: size_of::<Error>(),
        code: 0,
        reserved: 0,
        field: [0; 48],
        message: [0; 448],
    };
    let (code, lines) = panicking(name, tested, || function(&mut error));
    assert_eq!((code, error.code), (INTERNAL, INTERNAL), "{name}");
    let text = unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap();
    assert!(text.contains(name) && text.contains("injected"), "{text}");
    assert_eq!(
        lines.iter().filter(|line| line.contains(name)).count(),
        usize::from(logged),
        "{name}: {lines:?}"
    );
}

#[test]
fn a_panic_in_any_exported_function_does_not_reach_the_caller() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let mut tested = BTreeSet::from(["rtcmsg_test_panic_in".to_owned()]);
    let tested = &mut tested;
    unsafe {
        let config = rtcmsg_config_new();
        assert_eq!(rtcmsg_config_set_log(config, keep_line, null_mut(), 2, null_mut()), 0);
        for (key, value) in [
            ("volcengine.endpoint", emulator.url()),
            ("volcengine.access_key", "AKLTdemo"),
            ("volcengine.secret_key", "demo-secret-key=="),
            ("volcengine.rtc_app_id", "661e000000000000000demo1"),
        ] {
            let (key, value) = (CString::new(key).unwrap(), CString::new(value).unwrap());
            assert_eq!(rtcmsg_config_set(config, key.as_ptr(), value.as_ptr(), null_mut()), 0);
        }
        let mut client = null_mut();
        assert_eq!(rtcmsg_client_new(config, &mut client, null_mut()), 0);
        let to = str(c"alice");
        let message = unicast(&to);
        let mut report = null_mut();
        assert_eq!(rtcmsg_client_send(client, &message, null(), &mut report, null_mut()), 0);

        let key = c"http.timeout_ms".as_ptr();
        internal("rtcmsg_config_set", tested, true, |e| {
            rtcmsg_config_set(config, key, c"1".as_ptr(), e)
        });
        internal("rtcmsg_config_load_env", tested, true, |e| {
            rtcmsg_config_load_env(config, e)
        });
        internal("rtcmsg_config_set_log", tested, true, |e| {
            rtcmsg_config_set_log(config, keep_line, null_mut(), 2, e)
        });
        let mut unmade: Handle = config;
        internal("rtcmsg_client_new", tested, true, |e| {
            rtcmsg_client_new(config, &mut unmade, e)
        });
        assert!(unmade.is_null());
        internal("rtcmsg_client_check", tested, true, |e| {
            rtcmsg_client_check(client, &message, e)
        });
        let mut unsent: Handle = config;
        let send = |e| rtcmsg_client_send(client, &message, null(), &mut unsent, e);
        internal("rtcmsg_client_send", tested, true, send);
        assert!(unsent.is_null());
        let (action, version, json) = (c"Other".as_ptr(), c"2020-12-01".as_ptr(), str(c"{}"));
        let mut uncalled: Handle = config;
        let call = |e| rtcmsg_client_call_action(client, 1, action, version, json, null(), &mut uncalled, e);
        internal("rtcmsg_client_call_action", tested, true, call);
        assert!(uncalled.is_null());
        let none = Str { data: null(), len: 0 };
        let rotate = |e| rtcmsg_client_set_credentials(client, 1, str(c"AKLTdemo"), str(c"other"), none, e);
        internal("rtcmsg_client_set_credentials", tested, true, rotate);
        let (mut id, mut count, mut handle) = (0, 0, 0);
        let mut rows = [0u64; 4];
        let (rows, row_size) = (rows.as_mut_ptr().cast(), size_of_val(&rows));
        internal("rtcmsg_client_submit", tested, true, |e| {
            rtcmsg_client_submit(client, &message, null(), &mut id, e)
        });
        // The panic happened after the message was enqueued, so the message is sent and has its completion.
        internal("rtcmsg_client_flush", tested, true, |e| {
            rtcmsg_client_flush(client, -1, e)
        });
        internal("rtcmsg_client_poll", tested, true, |e| {
            rtcmsg_client_poll(client, 0, rows, row_size, 1, &mut count, e)
        });
        internal("rtcmsg_client_event_handle", tested, true, |e| {
            rtcmsg_client_event_handle(client, &mut handle, e)
        });
        internal("rtcmsg_client_cancel", tested, true, |e| {
            rtcmsg_client_cancel(client, 1, e)
        });
        internal("rtcmsg_client_warm_up", tested, true, |e| {
            rtcmsg_client_warm_up(client, 1, e)
        });
        let (mut needed, mut level) = (0, 0);
        internal("rtcmsg_client_stats", tested, true, |e| {
            rtcmsg_client_stats(client, null_mut(), 0, &mut needed, e)
        });
        internal("rtcmsg_client_next_log_line", tested, true, |e| {
            rtcmsg_client_next_log_line(client, &mut level, null_mut(), 0, &mut needed, e)
        });
        internal("rtcmsg_client_close", tested, true, |e| {
            rtcmsg_client_close(client, 0, e)
        });

        macro_rules! gives {
            ($function:ident($($argument:expr),*), $expected:expr, $logged:expr) => {
                let (value, lines) = panicking(stringify!($function), tested, || $function($($argument),*));
                assert_eq!(value, $expected, stringify!($function));
                assert_eq!(lines.len(), $logged, "{}: {lines:?}", stringify!($function));
            };
        }
        gives!(rtcmsg_report_code(report), -1, 1);
        gives!(rtcmsg_report_delivery(report), 0, 1);
        gives!(rtcmsg_report_recipient_count(report), 0, 1);
        gives!(rtcmsg_report_count_by_delivery(report, 1), 0, 1);
        gives!(rtcmsg_report_request_count(report), 0, 1);
        gives!(rtcmsg_report_request(report, 0), null(), 1);
        gives!(rtcmsg_report_attempt(report, 0), null(), 1);
        gives!(rtcmsg_report_recipient(report, 0), null(), 1);
        gives!(rtcmsg_report_device(report, 0), null(), 1);
        gives!(rtcmsg_report_body(report, null_mut()), null(), 1);
        gives!(rtcmsg_client_pending(client), 0, 1);
        gives!(rtcmsg_version(), 0, 0);
        gives!(rtcmsg_config_new(), null_mut(), 0);
        for (name, text, logged) in [
            (
                "rtcmsg_code_name",
                panicking("rtcmsg_code_name", tested, || rtcmsg_code_name(0)),
                0,
            ),
            (
                "rtcmsg_code_text",
                panicking("rtcmsg_code_text", tested, || rtcmsg_code_text(0)),
                0,
            ),
            (
                "rtcmsg_version_string",
                panicking("rtcmsg_version_string", tested, || rtcmsg_version_string()),
                0,
            ),
            (
                "rtcmsg_delivery_name",
                panicking("rtcmsg_delivery_name", tested, || rtcmsg_delivery_name(1)),
                0,
            ),
            (
                "rtcmsg_report_summary",
                panicking("rtcmsg_report_summary", tested, || rtcmsg_report_summary(report)),
                1,
            ),
        ]
        .map(|(name, (pointer, lines), logged)| (name, CStr::from_ptr(pointer), lines.len() == logged))
        {
            assert!(
                logged && ([c"", c"RTCMSG_?", c"unknown code"].contains(&text)),
                "{name}: {text:?}"
            );
        }

        // After all these panics the client still sends.
        let mut again = null_mut();
        assert_eq!(rtcmsg_client_send(client, &message, null(), &mut again, null_mut()), 0);
        assert_eq!(rtcmsg_report_code(again), 0);
        rtcmsg_report_free(again);
        panicking("rtcmsg_report_free", tested, || rtcmsg_report_free(report));
        panicking("rtcmsg_client_free", tested, || rtcmsg_client_free(client));
        panicking("rtcmsg_config_free", tested, || rtcmsg_config_free(config));
    }
    let exported: BTreeSet<String> = include_str!("symbols.txt").lines().map(str::to_owned).collect();
    tested.remove("rtcmsg_test_panic_in");
    assert_eq!(*tested, exported, "every exported function has its row here");
}
