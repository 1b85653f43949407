//! The service links of Kubernetes: the variables by which it announces each Service to every pod of a namespace. Those of
//! a Service named `rtcmsg-worker` begin like settings of this library, and nobody who deploys a pod chose them.
//! <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>

use std::net::{IpAddr, SocketAddr};

/// What a value must look like.
type Form = fn(&str) -> bool;

/// Whether name and value are those of a service link. The value counts because a mistyped setting may have such a name:
/// `RTCMSG_HTTP_PROXY_PORT=3128` is one.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    forms(name).any(|has_form| has_form(value))
}

/// What the value of a service link with this name may be. There can be several: `RTCMSG_A_SERVICE_PORT` is the port of
/// the Service `rtcmsg-a`, and the URL of the Service `rtcmsg-a-service`.
fn forms(name: &str) -> impl Iterator<Item = Form> {
    let is_behind_port = |end| name.strip_suffix(end).is_some_and(ends_in_port_and_protocol);
    let forms: [(bool, Form); 6] = [
        (name.ends_with("_SERVICE_HOST"), is_address),
        (
            name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_"),
            is_port,
        ),
        (name.ends_with("_PORT") || ends_in_port_and_protocol(name), is_url),
        (is_behind_port("_PROTO"), is_protocol),
        (is_behind_port("_PORT"), is_port),
        (is_behind_port("_ADDR"), is_address),
    ];
    forms
        .into_iter()
        .filter_map(|(is_named_so, form)| is_named_so.then_some(form))
}

/// As in `RTCMSG_A_PORT_443_TCP`.
fn ends_in_port_and_protocol(name: &str) -> bool {
    let mut parts = name.rsplitn(3, '_');
    let (protocol, port, service) = (parts.next(), parts.next(), parts.next());
    protocol.is_some_and(|protocol| is_protocol(&protocol.to_ascii_lowercase()))
        && port.is_some_and(is_port)
        && service.is_some_and(|service| service.ends_with("_PORT"))
}

fn is_url(value: &str) -> bool {
    value
        .split_once("://")
        .is_some_and(|(protocol, address)| is_protocol(protocol) && address.parse::<SocketAddr>().is_ok())
}

fn is_protocol(value: &str) -> bool {
    ["tcp", "udp", "sctp"].contains(&value)
}

fn is_port(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_digit()) && value.parse::<u16>().is_ok()
}

fn is_address(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::names::variable_of;
    use super::super::settings::SETTINGS;
    use super::*;

    #[test]
    fn every_variable_of_a_service_is_a_link() {
        for (name, value) in [
            ("RTCMSG_WORKER_SERVICE_HOST", "10.0.0.7"),
            ("RTCMSG_WORKER_SERVICE_HOST", "fd00::7"),
            ("RTCMSG_WORKER_SERVICE_PORT", "80"),
            ("RTCMSG_WORKER_SERVICE_PORT_HTTP", "80"),
            ("RTCMSG_WORKER_SERVICE_PORT_METRICS_TLS", "9443"),
            ("RTCMSG_WORKER_PORT", "tcp://10.0.0.7:80"),
            ("RTCMSG_TLS_PORT", "tcp://[fd00::7]:443"),
            ("RTCMSG_TLS_PORT_443_TCP", "tcp://10.0.0.7:443"),
            ("RTCMSG_TLS_PORT_443_TCP_PROTO", "tcp"),
            ("RTCMSG_TLS_PORT_443_TCP_PORT", "443"),
            ("RTCMSG_TLS_PORT_443_TCP_ADDR", "10.0.0.7"),
            ("RTCMSG_QUEUE_A_B_PORT_53_UDP", "udp://10.0.0.7:53"),
            ("RTCMSG_QUEUE_PORT_36412_SCTP_PROTO", "sctp"),
            // Those of a Service named rtcmsg-worker-service.
            ("RTCMSG_WORKER_SERVICE_SERVICE_HOST", "10.0.0.7"),
            ("RTCMSG_WORKER_SERVICE_PORT", "tcp://10.0.0.7:80"),
            ("RTCMSG_WORKER_SERVICE_PORT_80_TCP", "tcp://10.0.0.7:80"),
            ("RTCMSG_WORKER_SERVICE_PORT_80_TCP_PROTO", "tcp"),
            ("RTCMSG_WORKER_SERVICE_PORT_80_TCP_ADDR", "10.0.0.7"),
        ] {
            assert!(is_service_link(name, value), "{name}={value}");
        }
    }

    #[test]
    fn a_mistyped_setting_is_no_link() {
        for (name, value) in [
            ("RTCMSG_HTTP_PROXY_PORT", "3128"),
            ("RTCMSG_HTTP_PROXY_PORT", "tcp://proxy:3128"),
            ("RTCMSG_VOLCENGINE_SERVICE_HOST", "rtc.volcengineapi.com"),
            ("RTCMSG_VOLCENGINE_SERVICE_PORT", "https"),
            ("RTCMSG_VOLCENGINE_SERVICE_PORT", "65536"),
            ("RTCMSG_VOLCENGINE_SERVICE_PORT", "+80"),
            ("RTCMSG_VOLCENGINE_SERVICES", "rtc"),
            ("RTCMSG_TLS_PORT_443_QUIC", "quic://10.0.0.7:443"),
            ("RTCMSG_TLS_PORT_HTTPS_TCP", "tcp://10.0.0.7:443"),
            ("RTCMSG_TLS_443_TCP", "tcp://10.0.0.7:443"),
            ("RTCMSG_TLS_CA", "/etc/ca.pem"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }

    #[test]
    fn no_setting_has_the_name_of_a_link() {
        for setting in SETTINGS {
            let variable = variable_of(setting);
            assert_eq!(forms(&variable).count(), 0, "{variable}");
        }
    }
}
