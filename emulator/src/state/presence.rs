//! Presence: which users are logged in, in which rooms and conversations they are, and with which devices. The control API
//! changes it, and the vendors read it.

use std::collections::{BTreeMap, BTreeSet};

/// The users of the RTC app. Login and rooms are independent, as in the vendor's client SDK: `SendUnicast` needs a user who is
/// logged in, and the room sends need a user who is in the room.
#[derive(Debug, Default)]
pub(crate) struct RtcPresence {
    logged_in: BTreeSet<String>,
    rooms: Rooms,
}

impl RtcPresence {
    pub fn log_in(&mut self, user: &str) {
        self.logged_in.insert(user.to_owned());
    }

    pub fn log_out(&mut self, user: &str) {
        self.logged_in.remove(user);
    }

    pub fn join(&mut self, room: &str, user: &str) {
        self.log_in(user);
        self.rooms.join(room, user);
    }

    pub fn leave(&mut self, room: &str, user: &str) {
        self.rooms.leave(room, user);
    }

    pub fn is_logged_in(&self, user: &str) -> bool {
        self.logged_in.contains(user)
    }

    pub fn is_in_room(&self, room: &str, user: &str) -> bool {
        self.rooms.users(room).is_some_and(|users| users.contains(user))
    }

    pub fn users_in_room(&self, room: &str) -> Vec<String> {
        self.rooms.users(room).into_iter().flatten().cloned().collect()
    }
}

/// The users of the ZEGO project. A user who has been seen once remains known, in a room or not.
#[derive(Debug, Default)]
pub(crate) struct ZegoPresence {
    known: BTreeSet<String>,
    rooms: Rooms,
}

impl ZegoPresence {
    pub fn make_known(&mut self, user: &str) {
        self.known.insert(user.to_owned());
    }

    pub fn join(&mut self, room: &str, user: &str) {
        self.make_known(user);
        self.rooms.join(room, user);
    }

    pub fn leave(&mut self, room: &str, user: &str) {
        self.rooms.leave(room, user);
    }

    pub fn knows(&self, user: &str) -> bool {
        self.known.contains(user)
    }

    /// The users in a room now, or `None` if no user has ever joined it.
    pub fn users(&self, room: &str) -> Option<&BTreeSet<String>> {
        self.rooms.users(room)
    }
}

/// Rooms and their users. A room exists after its first join, even if it is empty.
#[derive(Debug, Default)]
struct Rooms(BTreeMap<String, BTreeSet<String>>);

impl Rooms {
    fn join(&mut self, room: &str, user: &str) {
        self.0.entry(room.to_owned()).or_default().insert(user.to_owned());
    }

    fn leave(&mut self, room: &str, user: &str) {
        if let Some(users) = self.0.get_mut(room) {
            users.remove(user);
        }
    }

    fn users(&self, room: &str) -> Option<&BTreeSet<String>> {
        self.0.get(room)
    }
}

/// The devices with which a member of a conversation is online. A member without a device is offline.
pub(crate) type Devices = Vec<String>;

/// The conversations of the IM app and their members.
#[derive(Debug, Default)]
pub(crate) struct ImPresence {
    conversations: BTreeMap<i64, BTreeMap<i64, Devices>>,
}

impl ImPresence {
    /// Makes the user a member who is online with exactly these devices.
    pub fn join(&mut self, conversation: i64, user: i64, devices: Devices) {
        self.conversations
            .entry(conversation)
            .or_default()
            .insert(user, devices);
    }

    pub fn leave(&mut self, conversation: i64, user: i64) {
        if let Some(members) = self.conversations.get_mut(&conversation) {
            members.remove(&user);
        }
    }

    /// The members of a conversation, or `None` if no user has ever joined it.
    pub fn members(&self, conversation: i64) -> Option<&BTreeMap<i64, Devices>> {
        self.conversations.get(&conversation)
    }

    /// The devices with which a user is online in any conversation.
    pub fn devices_of(&self, user: i64) -> Devices {
        let devices = self
            .conversations
            .values()
            .filter_map(|members| members.get(&user))
            .flatten();
        devices.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    pub fn online_users(&self) -> Vec<i64> {
        let members = self.conversations.values().flatten();
        let online = members
            .filter(|(_, devices)| !devices.is_empty())
            .map(|(user, _)| *user);
        online.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_in_a_room_can_be_logged_out() {
        let mut rtc = RtcPresence::default();
        rtc.join("r", "u");
        rtc.log_out("u");
        assert!(!rtc.is_logged_in("u"));
        assert!(rtc.is_in_room("r", "u"));
    }

    #[test]
    fn an_empty_room_still_exists() {
        let mut zego = ZegoPresence::default();
        assert!(zego.users("r").is_none());
        zego.join("r", "u");
        zego.leave("r", "u");
        assert!(zego.users("r").unwrap().is_empty());
        assert!(zego.knows("u"));
    }

    #[test]
    fn an_im_user_is_online_with_the_devices_of_all_conversations() {
        let mut im = ImPresence::default();
        im.join(1, 7, vec!["Web".to_owned()]);
        im.join(2, 7, vec!["IOS".to_owned(), "Web".to_owned()]);
        im.join(1, 8, Vec::new());
        assert_eq!(im.devices_of(7), ["IOS", "Web"]);
        assert!(im.devices_of(8).is_empty());
        assert_eq!(im.online_users(), [7]);
    }
}
