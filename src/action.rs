//! What can be sent: the table of the vendors' actions.
//!
//! Everything that the library knows about an action is in its row: its name on the wire, the fields that it uses, its
//! limits and its quota. Validation, splitting, pacing, queueing and the C ABI read the row. Only the form of its request
//! is elsewhere, in the vendor's `actions.rs`. The facts are from VENDORS.md, The messages, SendCustomCommand and Quotas.

/// The vendor that an action belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Vendor {
    Volcengine = 1,
    Zego = 2,
}

/// An API of a vendor. It determines which ids a message has and which app of the account it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    VolcengineRtc,
    VolcengineIm,
    Zego,
}

/// The version that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The setting `volcengine.rtc_version`.
    RtcSetting,
    Fixed(&'static str),
    /// The vendor's API has no versions.
    Unversioned,
}

/// A field of a message, named as in the C struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    RoomId,
    From,
    To,
    ConversationId,
    SenderId,
    UserIds,
    MsgType,
    Payload,
}

/// The users that a message reaches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience {
    /// The one user in `to`.
    OneUser,
    /// The users in `to`. A longer list is split.
    Users { per_request: Bound },
    /// Every user in the room.
    Room,
    /// The members of the conversation in `user_ids`. A longer list is split.
    Members { per_request: Bound },
    /// Every member of the conversation.
    AllMembers,
    /// Every member of the conversation, except those in `user_ids`. That list is never split: each part would reach the
    /// members that another part leaves out.
    AllMembersExcept { at_most: Bound },
}

/// A limit, which is a setting where the vendor states none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    Fixed(usize),
    Setting(fn(&Limits) -> usize),
}

/// What a payload may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadRule {
    pub max: Bound,
    pub counts: PayloadCount,
    /// Bytes are sent as base64. Without this, the payload is text.
    pub accepts_binary: bool,
}

/// What the payload's limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadCount {
    Bytes,
    /// The setting `volcengine.payload_limit_counts`: bytes, or the base64 of a binary payload.
    BytesOrBase64,
    /// The setting `zego.payload_limit_counts`: bytes, or their percent-encoding in the URL.
    BytesOrEncoded,
}

/// What a vendor counts together. VENDORS.md, Quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum QuotaClass {
    /// The four RTC sends of Volcengine.
    VolcengineRtc,
    /// P2PSendMessage.
    VolcengineIm,
    /// The requests of P2PSendUserMessage.
    VolcengineImUser,
    /// The receivers of P2PSendUserMessage, counted per minute.
    VolcengineImUserReceivers,
    /// The requests of P2PSendUserMessage to all users who are online.
    VolcengineImUserToAll,
    Zego,
}

/// How a request counts in its quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuotaRule {
    pub class: QuotaClass,
    /// Whether it also counts in the quota of its room, if that is set.
    pub counts_in_room: bool,
    pub cost: Cost,
}

/// How many permits a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    One,
    /// The setting `quota.batch_cost`: one, or one for each recipient.
    OneOrRecipients,
}

/// Which queued messages keep their order: those with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderKey {
    /// The room and the user, as far as the message names them. A list of several users has the key of its room.
    RoomAndUser,
    Conversation,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActionSpec {
    /// The vendor's name of the action, as it is sent.
    pub name: &'static str,
    /// The name in error texts, which differs from `name` where several actions are sent by one name.
    pub title: &'static str,
    pub api: Api,
    pub version: Version,
    pub audience: Audience,
    /// The fields that it uses, in the order in which they are checked. All of them are required.
    pub fields: &'static [Field],
    pub payload: PayloadRule,
    pub quota: QuotaRule,
    pub order_key: OrderKey,
    /// Whether the sender may be among the recipients.
    pub reaches_sender: bool,
}

/// An action that has no typed message and whose quota is known: raw calls of it are paced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawActionSpec {
    pub name: &'static str,
    pub vendor: Vendor,
    pub quota: QuotaClass,
    /// The quota in which the receivers of a request also count.
    pub receivers: Option<ReceiverQuota>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiverQuota {
    /// Has a permit for each receiver in the request's list.
    pub listed: QuotaClass,
    /// Has a permit for each request to all users who are online.
    pub all_online: QuotaClass,
}

/// The limits that are settings, because the vendor states none or does not say what it counts.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub binary_counts_as_base64: bool,
    pub p2p_max_content: usize,
    pub p2p_max_users: usize,
    pub command_counts_as_encoded: bool,
    pub zego_max_id_length: usize,
    pub max_recipients: usize,
    /// The permits that one request may need where it needs one for each recipient: a request that needs more than the
    /// quota of a second would never be sent. `usize::MAX` where each request needs one permit.
    pub max_permits: usize,
}

#[cfg(test)]
impl Limits {
    /// The defaults of the settings, with short lists.
    pub fn for_tests() -> Limits {
        Limits {
            binary_counts_as_base64: false,
            p2p_max_content: 65536,
            p2p_max_users: 500,
            command_counts_as_encoded: false,
            zego_max_id_length: 128,
            max_recipients: 700,
            max_permits: usize::MAX,
        }
    }
}

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal => $spec:expr;)+) => {
        /// An action of a vendor, as a typed message. The numbers are the C ABI: they are never changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[doc = $doc])+ $variant = $number,)+
        }

        impl Action {
            /// Every action, in the order of the C header.
            pub const ALL: &'static [Action] = &[$(Action::$variant),+];

            /// The action's row of the table.
            pub(crate) fn spec(self) -> &'static ActionSpec {
                match self {
                    $(Action::$variant => {
                        const SPEC: ActionSpec = $spec;
                        &SPEC
                    })+
                }
            }
        }
    };
}

const RTC_PAYLOAD: PayloadRule = PayloadRule {
    max: Bound::Fixed(64 * 1024),
    counts: PayloadCount::BytesOrBase64,
    accepts_binary: true,
};
const RTC_BATCH_PAYLOAD: PayloadRule = PayloadRule {
    max: Bound::Fixed(20 * 1024),
    ..RTC_PAYLOAD
};
const IM_PAYLOAD: PayloadRule = PayloadRule {
    max: Bound::Setting(|limits| limits.p2p_max_content),
    counts: PayloadCount::Bytes,
    accepts_binary: false,
};
const ZEGO_PAYLOAD: PayloadRule = PayloadRule {
    max: Bound::Fixed(1024),
    counts: PayloadCount::BytesOrEncoded,
    accepts_binary: false,
};

const RTC_QUOTA: QuotaRule = QuotaRule {
    class: QuotaClass::VolcengineRtc,
    counts_in_room: false,
    cost: Cost::One,
};
const RTC_ROOM_QUOTA: QuotaRule = QuotaRule {
    counts_in_room: true,
    ..RTC_QUOTA
};
const RTC_BATCH_QUOTA: QuotaRule = QuotaRule {
    cost: Cost::OneOrRecipients,
    ..RTC_ROOM_QUOTA
};
const IM_QUOTA: QuotaRule = QuotaRule {
    class: QuotaClass::VolcengineIm,
    ..RTC_QUOTA
};
const ZEGO_QUOTA: QuotaRule = QuotaRule {
    class: QuotaClass::Zego,
    ..RTC_QUOTA
};

/// The only version that IM has.
const IM_VERSION: Version = Version::Fixed("2020-12-01");
const IM_LIST: Bound = Bound::Setting(|limits| limits.p2p_max_users);

actions! {
    /// Volcengine RTC, to one user who is logged in, outside rooms.
    VolcengineSendUnicast = 101 => ActionSpec {
        name: "SendUnicast",
        title: "SendUnicast",
        api: Api::VolcengineRtc,
        version: Version::RtcSetting,
        audience: Audience::OneUser,
        fields: &[Field::From, Field::To, Field::Payload],
        payload: RTC_PAYLOAD,
        quota: RTC_QUOTA,
        order_key: OrderKey::RoomAndUser,
        reaches_sender: true,
    };
    /// Volcengine RTC, to one user in a room.
    VolcengineSendRoomUnicast = 102 => ActionSpec {
        name: "SendRoomUnicast",
        title: "SendRoomUnicast",
        api: Api::VolcengineRtc,
        version: Version::RtcSetting,
        audience: Audience::OneUser,
        fields: &[Field::RoomId, Field::From, Field::To, Field::Payload],
        payload: RTC_PAYLOAD,
        quota: RTC_ROOM_QUOTA,
        order_key: OrderKey::RoomAndUser,
        reaches_sender: true,
    };
    /// Volcengine RTC, to a list of users in a room.
    VolcengineBatchSendRoomUnicast = 103 => ActionSpec {
        name: "BatchSendRoomUnicast",
        title: "BatchSendRoomUnicast",
        api: Api::VolcengineRtc,
        version: Version::RtcSetting,
        audience: Audience::Users { per_request: Bound::Fixed(600) },
        fields: &[Field::RoomId, Field::From, Field::To, Field::Payload],
        payload: RTC_BATCH_PAYLOAD,
        quota: RTC_BATCH_QUOTA,
        order_key: OrderKey::RoomAndUser,
        reaches_sender: true,
    };
    /// Volcengine RTC, to every user in a room.
    VolcengineSendBroadcast = 104 => ActionSpec {
        name: "SendBroadcast",
        title: "SendBroadcast",
        api: Api::VolcengineRtc,
        version: Version::RtcSetting,
        audience: Audience::Room,
        fields: &[Field::RoomId, Field::From, Field::Payload],
        payload: RTC_PAYLOAD,
        quota: RTC_ROOM_QUOTA,
        order_key: OrderKey::RoomAndUser,
        reaches_sender: true,
    };
    /// Volcengine IM, to a list of members of a conversation.
    VolcengineP2PSendMessageToUsers = 111 => ActionSpec {
        name: "P2PSendMessage",
        title: "P2PSendMessage to users",
        api: Api::VolcengineIm,
        version: IM_VERSION,
        audience: Audience::Members { per_request: IM_LIST },
        fields: &[Field::ConversationId, Field::SenderId, Field::MsgType, Field::Payload, Field::UserIds],
        payload: IM_PAYLOAD,
        quota: IM_QUOTA,
        order_key: OrderKey::Conversation,
        reaches_sender: true,
    };
    /// Volcengine IM, to every member of a conversation.
    VolcengineP2PSendMessageToAll = 112 => ActionSpec {
        name: "P2PSendMessage",
        title: "P2PSendMessage to all",
        api: Api::VolcengineIm,
        version: IM_VERSION,
        audience: Audience::AllMembers,
        fields: &[Field::ConversationId, Field::SenderId, Field::MsgType, Field::Payload],
        payload: IM_PAYLOAD,
        quota: IM_QUOTA,
        order_key: OrderKey::Conversation,
        reaches_sender: true,
    };
    /// Volcengine IM, to every member of a conversation except those in a list.
    VolcengineP2PSendMessageToAllExcept = 113 => ActionSpec {
        name: "P2PSendMessage",
        title: "P2PSendMessage to all except",
        api: Api::VolcengineIm,
        version: IM_VERSION,
        audience: Audience::AllMembersExcept { at_most: IM_LIST },
        fields: &[Field::ConversationId, Field::SenderId, Field::MsgType, Field::Payload, Field::UserIds],
        payload: IM_PAYLOAD,
        quota: IM_QUOTA,
        order_key: OrderKey::Conversation,
        reaches_sender: true,
    };
    /// ZEGO, to a list of users in a room.
    ZegoSendCustomCommandToUsers = 201 => ActionSpec {
        name: "SendCustomCommand",
        title: "SendCustomCommand to users",
        api: Api::Zego,
        version: Version::Unversioned,
        audience: Audience::Users { per_request: Bound::Fixed(10) },
        fields: &[Field::RoomId, Field::From, Field::To, Field::Payload],
        payload: ZEGO_PAYLOAD,
        quota: ZEGO_QUOTA,
        order_key: OrderKey::RoomAndUser,
        reaches_sender: false,
    };
    /// ZEGO, to every user in a room except a client whose id is the sender's.
    ZegoSendCustomCommandToRoom = 202 => ActionSpec {
        name: "SendCustomCommand",
        title: "SendCustomCommand to the room",
        api: Api::Zego,
        version: Version::Unversioned,
        audience: Audience::Room,
        fields: &[Field::RoomId, Field::From, Field::Payload],
        payload: ZEGO_PAYLOAD,
        quota: ZEGO_QUOTA,
        order_key: OrderKey::RoomAndUser,
        reaches_sender: false,
    };
}

static RAW_ACTIONS: [RawActionSpec; 3] = [
    RawActionSpec {
        name: "P2PSendUserMessage",
        vendor: Vendor::Volcengine,
        quota: QuotaClass::VolcengineImUser,
        receivers: Some(ReceiverQuota {
            listed: QuotaClass::VolcengineImUserReceivers,
            all_online: QuotaClass::VolcengineImUserToAll,
        }),
    },
    // Both count in the quota of SendCustomCommand.
    RawActionSpec {
        name: "SendBroadcastMessage",
        vendor: Vendor::Zego,
        quota: QuotaClass::Zego,
        receivers: None,
    },
    RawActionSpec {
        name: "SendBarrageMessage",
        vendor: Vendor::Zego,
        quota: QuotaClass::Zego,
        receivers: None,
    },
];

impl Action {
    /// The action of that number of the C ABI, if there is one.
    pub fn from_u32(number: u32) -> Option<Action> {
        Action::ALL.iter().copied().find(|action| *action as u32 == number)
    }

    /// The first action that is sent by this name. The case of letters does not matter, because it is not known whether the
    /// vendor accepts `sendUnicast` for `SendUnicast`.
    pub(crate) fn named(name: &str) -> Option<Action> {
        let is_named = |action: &Action| action.name().eq_ignore_ascii_case(name);
        Action::ALL.iter().copied().find(is_named)
    }

    /// The vendor's name of the action, as it is sent: `SendUnicast`. Several actions may be sent by one name.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    pub fn vendor(self) -> Vendor {
        self.spec().api.vendor()
    }
}

impl Api {
    pub fn vendor(self) -> Vendor {
        match self {
            Api::VolcengineRtc | Api::VolcengineIm => Vendor::Volcengine,
            Api::Zego => Vendor::Zego,
        }
    }
}

impl ActionSpec {
    pub fn uses(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }

    /// How many recipients one request may have.
    pub fn recipients_per_request(&self, limits: &Limits) -> usize {
        let max_permits = match self.quota.cost {
            Cost::One => usize::MAX,
            Cost::OneOrRecipients => limits.max_permits,
        };
        match self.audience {
            Audience::Users { per_request } | Audience::Members { per_request } => {
                per_request.get(limits).min(max_permits)
            }
            Audience::OneUser | Audience::Room | Audience::AllMembers | Audience::AllMembersExcept { .. } => usize::MAX,
        }
    }

    /// How many users the message may list, to reach them or to leave them out.
    pub fn max_listed(&self, limits: &Limits) -> usize {
        match self.audience {
            Audience::OneUser => 1,
            Audience::Users { .. } | Audience::Members { .. } => limits.max_recipients,
            Audience::AllMembersExcept { at_most } => at_most.get(limits),
            Audience::Room | Audience::AllMembers => 0,
        }
    }
}

impl Bound {
    pub fn get(self, limits: &Limits) -> usize {
        match self {
            Bound::Fixed(bound) => bound,
            Bound::Setting(bound) => bound(limits),
        }
    }
}

impl Field {
    /// Its name in the C struct, in errors.
    pub fn name(self) -> &'static str {
        match self {
            Field::RoomId => "room_id",
            Field::From => "from",
            Field::To => "to",
            Field::ConversationId => "conversation_id",
            Field::SenderId => "sender_id",
            Field::UserIds => "user_ids",
            Field::MsgType => "msg_type",
            Field::Payload => "payload",
        }
    }
}

impl QuotaClass {
    pub const ALL: [QuotaClass; 6] = [
        QuotaClass::VolcengineRtc,
        QuotaClass::VolcengineIm,
        QuotaClass::VolcengineImUser,
        QuotaClass::VolcengineImUserReceivers,
        QuotaClass::VolcengineImUserToAll,
        QuotaClass::Zego,
    ];
}

/// The row of an action without a typed message, if its quota is known. The case of letters does not matter.
pub(crate) fn raw_action(vendor: Vendor, name: &str) -> Option<&'static RawActionSpec> {
    RAW_ACTIONS
        .iter()
        .find(|spec| spec.vendor == vendor && spec.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_found_by_its_number_and_by_the_name_that_is_sent() {
        for action in Action::ALL {
            assert_eq!(Action::from_u32(*action as u32), Some(*action));
            let name = action.name();
            assert_eq!(Action::named(&name.to_ascii_lowercase()).map(Action::name), Some(name));
            assert!(
                action.spec().title.starts_with(name),
                "an error text names the action as the vendor does"
            );
        }
        for unknown in [0, 100, 114, u32::MAX] {
            assert_eq!(Action::from_u32(unknown), None);
        }
        assert_eq!(Action::named("P2PSendUserMessage"), None);
    }

    #[test]
    fn the_fields_of_a_row_are_those_that_its_other_columns_need() {
        for action in Action::ALL {
            let spec = action.spec();
            let (lists_names, lists_ids) = match spec.audience {
                Audience::OneUser | Audience::Users { .. } => (true, false),
                Audience::Members { .. } | Audience::AllMembersExcept { .. } => (false, true),
                Audience::Room | Audience::AllMembers => (false, false),
            };
            assert_eq!(spec.uses(Field::To), lists_names, "{action:?}");
            assert_eq!(spec.uses(Field::UserIds), lists_ids, "{action:?}");
            assert!(spec.uses(Field::Payload), "{action:?}");
            let has_conversation = spec.order_key == OrderKey::Conversation;
            assert_eq!(spec.uses(Field::ConversationId), has_conversation, "{action:?}");
            assert!(!spec.quota.counts_in_room || spec.uses(Field::RoomId), "{action:?}");
        }
    }

    #[test]
    fn a_raw_action_has_no_typed_message_and_is_found_by_its_vendor_and_name() {
        for spec in &RAW_ACTIONS {
            assert_eq!(Action::named(spec.name), None);
            let lower = spec.name.to_ascii_lowercase();
            assert_eq!(raw_action(spec.vendor, &lower).map(|found| found.name), Some(spec.name));
        }
        assert!(raw_action(Vendor::Zego, "P2PSendUserMessage").is_none());
        assert!(raw_action(Vendor::Volcengine, "GetRoomOnlineUsers").is_none());
    }
}
