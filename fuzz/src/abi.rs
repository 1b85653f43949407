//! The C ABI, declared by hand from include/rtcmsg.h, so that a difference between the header and src is found.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

// Links the library in, whose exported functions are called by name.
use rtcmsg as _;

pub const OK: i32 = 0;
pub const INVALID_ARGUMENT: i32 = -1;
pub const UNSUPPORTED: i32 = -2;
pub const NOT_CONFIGURED: i32 = -3;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub data: *const c_char,
    pub len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Message {
    pub struct_size: usize,
    pub action: u32,
    pub flags: u32,
    pub room_id: Str,
    pub from: Str,
    pub to: *const Str,
    pub to_count: usize,
    pub conversation_id: i64,
    pub sender_id: i64,
    pub user_ids: *const i64,
    pub user_id_count: usize,
    pub msg_type: i32,
    pub reserved: u32,
    pub payload: *const c_void,
    pub payload_len: usize,
}

#[repr(C)]
pub struct Error {
    pub struct_size: usize,
    pub code: i32,
    pub reserved: u32,
    pub field: [c_char; 48],
    pub message: [c_char; 448],
}

pub enum Config {}
pub enum Client {}

unsafe extern "C" {
    pub fn rtcmsg_config_new() -> *mut Config;
    pub fn rtcmsg_config_free(config: *mut Config);
    pub fn rtcmsg_config_set(config: *mut Config, key: *const c_char, value: *const c_char, error: *mut Error) -> i32;
    pub fn rtcmsg_client_new(config: *const Config, client: *mut *mut Client, error: *mut Error) -> i32;
    pub fn rtcmsg_client_check(client: *mut Client, message: *const Message, error: *mut Error) -> i32;
    pub fn rtcmsg_client_free(client: *mut Client);
    pub fn rtcmsg_code_name(code: i32) -> *const c_char;
}

impl Error {
    /// Filled with values that must not remain after a call.
    pub fn dirty() -> Error {
        Error {
            struct_size: size_of::<Error>(),
            code: 7,
            reserved: 7,
            field: [-1; 48],
            message: [-1; 448],
        }
    }

    /// Field and message, after a check of what the header promises: both are set on every path, are UTF-8 that ends with a
    /// NUL, and are empty on success.
    pub fn checked(&self, code: i32) -> (&str, &str) {
        assert_eq!(
            (self.struct_size, self.code, self.reserved),
            (size_of::<Error>(), code, 0)
        );
        fn text(chars: &[c_char]) -> &str {
            assert!(chars.contains(&0), "the text has no NUL");
            // SAFETY: the text has a NUL.
            unsafe { CStr::from_ptr(chars.as_ptr()) }.to_str().expect("UTF-8")
        }
        let (field, text) = (text(&self.field), text(&self.message));
        assert_eq!(code == OK, text.is_empty(), "{code}: {text}");
        assert!(code != OK || field.is_empty(), "{field}");
        assert!(
            !text.contains(char::is_control) && !field.contains(char::is_control),
            "{field:?}: {text:?}"
        );
        // SAFETY: a static text.
        let name = unsafe { CStr::from_ptr(rtcmsg_code_name(code)) };
        assert_ne!(name, c"RTCMSG_?", "{code} is not a code");
        (field, text)
    }
}

/// The demo account, on a port without a listener.
pub const DEMO: [(&CStr, &CStr); 8] = [
    (c"volcengine.endpoint", c"http://127.0.0.1:1"),
    (c"volcengine.access_key", c"AKLTdemo"),
    (c"volcengine.secret_key", c"demo-secret-key=="),
    (c"volcengine.rtc_app_id", c"661e000000000000000demo1"),
    (c"volcengine.im_app_id", c"666675"),
    (c"zego.endpoint", c"http://127.0.0.1:1"),
    (c"zego.app_id", c"1234567890"),
    (c"zego.server_secret", c"0123456789abcdef0123456789abcdef"),
];

/// A client of the demo account; never freed.
pub fn demo_client() -> *mut Client {
    let mut client = ptr::null_mut();
    // SAFETY: the header's rules.
    unsafe {
        let config = rtcmsg_config_new();
        for (key, value) in DEMO {
            assert_eq!(
                rtcmsg_config_set(config, key.as_ptr(), value.as_ptr(), ptr::null_mut()),
                OK
            );
        }
        assert_eq!(rtcmsg_client_new(config, &mut client, ptr::null_mut()), OK);
        rtcmsg_config_free(config);
    }
    client
}
