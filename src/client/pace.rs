//! When a request may leave: the client's rates, and the buckets it shares with the other clients of its account.

use std::time::Duration;

use crate::config::{self, Config};
use crate::deadline::Deadline;
use crate::message::Message;
use crate::quota::{Class, Demand, Limit, Load, Priority, Refusal, SharedBucket, bucket_of};

/// Without a bucket, nothing is paced.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    rtc: Option<Lane>,
    im: Option<Lane>,
    zego: Option<Lane>,
    room: Option<Limit>,
    batch_weighs_its_recipients: bool,
    waits: bool,
}

#[derive(Debug)]
struct Lane {
    class: Class,
    bucket: SharedBucket,
    limit: Limit,
}

/// The place of a message in its lane.
pub(super) struct Turn<'a> {
    lane: &'a Lane,
    demand: Demand,
    waits: bool,
}

impl Pacing {
    /// `volcengine` and `zego` name the accounts of the vendors that are configured.
    pub fn new(config: &Config, volcengine: Option<&str>, zego: Option<&str>) -> Pacing {
        if config.text(&config::QUOTA_MODE) == "off" {
            return Pacing::default();
        }
        let span = Duration::from_secs(1) + config.millis(&config::QUOTA_JITTER_MS);
        let limit = |weight| Limit {
            weight,
            span: span.as_nanos() as u64,
        };
        let scope = |setting, account: &str| match config.text(setting) {
            "" => account.to_owned(),
            scope => scope.to_owned(),
        };
        let lane = |class, scope: &str, rate| Lane {
            class,
            bucket: bucket_of(class, scope),
            limit: limit(rate),
        };
        let volcengine = volcengine.map(|account| scope(&config::QUOTA_VOLCENGINE_SCOPE, account));
        let zego = zego.map(|account| scope(&config::QUOTA_ZEGO_SCOPE, account));
        let zego_rate = config.optional_integer(&config::QUOTA_ZEGO_PER_SECOND).map_or_else(
            // docs/VENDORS.md, SendCustomCommand: a tenth of it in test projects.
            || {
                if config.text(&config::ZEGO_IS_TEST) == "true" {
                    10
                } else {
                    100
                }
            },
            |rate| rate.unsigned_abs(),
        );
        let rtc_rate = config.integer(&config::QUOTA_RTC_PER_SECOND);
        let im_rate = config.integer(&config::QUOTA_IM_PER_SECOND);
        let room_rate = config.optional_integer(&config::QUOTA_ROOM_PER_SECOND);
        Pacing {
            rtc: volcengine
                .as_deref()
                .map(|scope| lane(Class::VolcengineRtc, scope, rtc_rate)),
            im: volcengine
                .as_deref()
                .map(|scope| lane(Class::VolcengineIm, scope, im_rate)),
            zego: zego.as_deref().map(|scope| lane(Class::Zego, scope, zego_rate)),
            room: room_rate.map(|rate| limit(rate.unsigned_abs())),
            batch_weighs_its_recipients: config.text(&config::QUOTA_BATCH_COST) == "recipient",
            waits: config.text(&config::QUOTA_MODE) == "wait",
        }
    }

    /// The most recipients a batch may have: one that weighs more than a second allows would never leave.
    pub fn largest_batch(&self) -> Option<usize> {
        let rtc = self.rtc.as_ref().filter(|_| self.batch_weighs_its_recipients)?;
        usize::try_from(rtc.limit.weight).ok()
    }

    pub fn bucket(&self, class: Class) -> Option<&SharedBucket> {
        self.lane(class).map(|lane| &lane.bucket)
    }

    /// What a class may send in a second, and how it stands.
    pub fn load(&self, class: Class) -> Option<(u64, Load)> {
        self.lane(class).map(|lane| (lane.limit.weight, lane.bucket.load()))
    }

    fn lane(&self, class: Class) -> Option<&Lane> {
        match class {
            Class::VolcengineRtc => self.rtc.as_ref(),
            Class::VolcengineIm => self.im.as_ref(),
            Class::Zego => self.zego.as_ref(),
        }
    }

    /// What a message has to wait for in a queue, before its first request; `None` if for nothing.
    pub fn demand_in_queue(&self, message: &Message, priority: Priority, batch: usize) -> Option<(Class, Demand)> {
        let first = match *message {
            Message::BatchSendRoomUnicast {
                room_id,
                from,
                to,
                payload,
            } => Message::BatchSendRoomUnicast {
                room_id,
                from,
                to: &to[..to.len().min(batch)],
                payload,
            },
            whole => whole,
        };
        let turn = self.turn(&first, priority).filter(Turn::waits)?;
        Some((turn.lane.class, turn.demand))
    }

    /// `None` if nothing paces this message.
    pub fn turn(&self, message: &Message, priority: Priority) -> Option<Turn<'_>> {
        let (lane, room, weight) = match *message {
            Message::SendUnicast { .. } => (&self.rtc, None, 1),
            Message::SendRoomUnicast { room_id, .. } | Message::SendBroadcast { room_id, .. } => {
                (&self.rtc, Some(room_id), 1)
            }
            Message::BatchSendRoomUnicast { room_id, to, .. } => {
                let weight = if self.batch_weighs_its_recipients {
                    to.len() as u64
                } else {
                    1
                };
                (&self.rtc, Some(room_id), weight)
            }
            Message::P2PSendMessageToUsers { .. }
            | Message::P2PSendMessageToAll { .. }
            | Message::P2PSendMessageToAllExcept { .. } => (&self.im, None, 1),
            Message::SendCustomCommandToUsers { .. } | Message::SendCustomCommandToRoom { .. } => (&self.zego, None, 1),
        };
        let lane = lane.as_ref()?;
        let room = room.zip(self.room).map(|(room, limit)| (room.to_owned(), limit));
        let demand = Demand {
            weight,
            limit: lane.limit,
            room,
            priority,
        };
        Some(Turn {
            lane,
            demand,
            waits: self.waits,
        })
    }

    /// Wakes all who wait, so that those of a closed client leave.
    pub fn wake(&self) {
        for lane in [&self.rtc, &self.im, &self.zego].into_iter().flatten() {
            lane.bucket.wake();
        }
    }
}

impl Turn<'_> {
    /// From here it goes before those who have not begun.
    pub fn has_begun(&mut self) {
        self.demand.priority = Priority::Begun;
    }

    /// Whether one waits for a turn, or goes without.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Waits for the turn, by the deadline, or not at all where the mode says so. Whether it had to.
    pub fn wait(&self, deadline: Deadline, abandoned: impl Fn() -> bool) -> Result<bool, Refusal> {
        let wait = if self.waits {
            deadline.remaining()
        } else {
            Some(Duration::ZERO)
        };
        let wait = wait.map(|wait| wait.as_nanos().try_into().unwrap_or(u64::MAX));
        self.lane.bucket.pass(self.demand.clone(), wait, abandoned)
    }

    pub fn throttled(&self) {
        self.lane.bucket.throttled(self.demand.limit.span);
    }

    pub fn succeeded(&self) {
        self.lane.bucket.succeeded(self.demand.limit.span);
    }
}
