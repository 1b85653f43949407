//! One vendor request from its last byte to its answer, with the faults that are scripted for it.

use std::sync::Arc;

use crate::connection::Connection;
use crate::faults::{Cut, Fault, FaultPlan, Subject};
use crate::record::{UserScope, Vendor};
use crate::request::Request;
use crate::service::{Arrival, Cancellation, Reply, Service};
use crate::{volcengine, zego};

/// An end without one byte of an answer.
pub(crate) const NO_ANSWER: Cut = Cut { after: 0, reset: false };

/// Answers a request. `None`: it gets no answer, and its connection is to be closed.
pub(crate) async fn play(
    service: &Arc<Service>,
    connection: &Arc<Connection>,
    vendor: Vendor,
    request_on_connection: u64,
    request: Request,
) -> Option<Reply> {
    let (plan, mut cancellation) = plan(service, vendor, &request);
    match plan.fault {
        Some(Fault::CutAnswer(cut)) => connection.cut_answer(cut),
        Some(Fault::CloseIdleAfterAnswer) => connection.close_after_answer(),
        _ => (),
    }
    let answer_latency = plan.answer_latency;
    let is_delayed = !plan.latency.is_zero();
    let stalls = matches!(plan.fault, Some(Fault::Stall { .. }));
    let processing = {
        let (service, connection, mut cancellation) =
            (Arc::clone(service), Arc::clone(connection), cancellation.clone());
        async move {
            cancellation.sleep(plan.latency).await?;
            let arrival = Arrival {
                connection: &connection,
                request_on_connection,
            };
            service.answer(vendor, arrival, request, &plan, &cancellation)
        }
    };
    // A task of its own: what arrived whole is processed, even if the client does not wait for it.
    let reply = if is_delayed {
        tokio::spawn(processing).await.ok().flatten()
    } else {
        processing.await
    };
    if stalls {
        cancellation.cancelled().await;
        return None;
    }
    cancellation.sleep(answer_latency).await?;
    reply
}

/// What is to happen to this request, and what may hold it back.
fn plan(service: &Service, vendor: Vendor, request: &Request) -> (FaultPlan, Cancellation) {
    let query = request.query();
    let action = query.text("Action").unwrap_or_default();
    let mut state = service.state();
    let users = match vendor {
        _ if !state.faults.need_users() => Vec::new(),
        Vendor::Volcengine => volcengine::named_users(request),
        Vendor::Zego => zego::named_users(request),
    };
    let subject = Subject {
        vendor: UserScope::of(vendor, action),
        action,
        users: &users,
    };
    (state.faults.on_request(&subject), service.cancellation())
}
