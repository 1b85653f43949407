//! The statistics that docs/METRICS.md describes.

use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::shared::Shared;
use crate::action::QuotaClass;
use crate::error::Code;
use crate::metrics::{Counter, Histogram};
use crate::report::Delivery;

pub(super) fn snapshot(shared: &Shared) -> String {
    let gauges = &shared.gauges;
    let (in_flight, oldest) = (gauges.in_flight(), gauges.oldest());
    let counters = shared.engine.counters();
    let traffic = shared.engine.traffic();
    let workers = &shared.workers;
    let codes = Code::ALL.iter().map(|code| code.name());
    let deliveries = Delivery::ALL
        .iter()
        .map(|delivery| delivery.c_name().to_str().unwrap_or_default());
    json!({
        "queue": {
            "depth": (gauges.messages() + shared.inbox.len()).saturating_sub(in_flight),
            "in_flight": in_flight,
            "completions": shared.completions.len(),
            "pending": shared.pending.load(Ordering::SeqCst),
            "capacity": shared.capacity,
            "bytes": shared.bytes.load(Ordering::SeqCst),
            "max_bytes": shared.max_bytes,
            "oldest_age_ms": oldest.map_or(0, |at| Instant::now().saturating_duration_since(at).as_millis() as u64),
            "submitted": shared.submitted.get(),
            "rejected": shared.rejected.get(),
        },
        "workers": {
            "limit": workers.limit,
            "threads": workers.threads.load(Ordering::SeqCst),
            "busy": workers.limit - workers.free(),
        },
        "messages": by_name(codes, &counters.codes),
        "deliveries": by_name(deliveries, &counters.deliveries),
        "retries": counters.retries.get(),
        "quota": {
            "waits": counters.quota_waits.get(),
            // The two further quotas of P2PSendUserMessage, for its receivers and for its sends to all users, have no figures:
            // all its requests also count in `volcengine_im_user`, and the receivers are counted per minute.
            "volcengine_rtc": quota(shared, QuotaClass::VolcengineRtc),
            "volcengine_im": quota(shared, QuotaClass::VolcengineIm),
            "volcengine_im_user": quota(shared, QuotaClass::VolcengineImUser),
            "zego": quota(shared, QuotaClass::Zego),
        },
        "http": {
            "connections_open": traffic.opened.get().saturating_sub(traffic.closed.get()),
            "connections_opened": traffic.opened.get(),
            "requests": traffic.requests.get(),
            "requests_on_used_connections": traffic.reused.get(),
            "dns_lookups": traffic.dns_lookups.get(),
        },
        "latency_us": {
            "submit_to_completion": percentiles(&shared.latency),
            "wire": percentiles(&traffic.wire),
        },
    })
    .to_string()
}

fn by_name<'a>(names: impl Iterator<Item = &'a str>, counters: &[Counter]) -> Value {
    let pairs = names.zip(counters).map(|(name, counter)| {
        let prefixes = ["RTCMSG_ERR_", "RTCMSG_DELIVERY_", "RTCMSG_"];
        let name = prefixes
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))
            .unwrap_or(name);
        (name.to_ascii_lowercase(), counter.get().into())
    });
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn quota(shared: &Shared, class: QuotaClass) -> Value {
    let Some((limit, load)) = shared.engine.quota(class) else {
        return Value::Null;
    };
    json!({ "per_second": limit, "effective_per_second": limit * load.thousandths / 1000, "waiting": load.waiting })
}

fn percentiles(histogram: &Histogram) -> Value {
    let figures = histogram.percentiles();
    json!({
        "count": figures.count,
        "p50": figures.p50,
        "p90": figures.p90,
        "p99": figures.p99,
        "max": figures.max,
    })
}
