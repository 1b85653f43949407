//! The command line of the emulator. It prints one line with the URL and an `export` block, then serves until a stop signal.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use rtcmsg_emulator::{
    BinaryLimitCounts, Emulator, FaultRule, Options, Secret, TlsFiles, VolcengineAccount, ZegoAccount,
};

/// Emulates the server APIs of Volcengine RTC, Volcengine IM and ZEGO on loopback
///
/// Point a client at the URL in the first line of output; both vendors share it. The emulator checks signatures, clocks, ids,
/// sizes and quotas as the vendors do, and answers as they do. Users join and leave through the control API at /_emulator/,
/// which also shows what arrived: see the README.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    /// Port to listen on; 0 chooses a free one
    #[arg(long, value_name = "N", default_value_t = 8089, help_heading = "Where to listen")]
    port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = parse_host, help_heading = "Where to listen")]
    host: IpAddr,
    /// Allow a --host that other machines can reach; any client that reaches the emulator can control it
    #[arg(long, help_heading = "Where to listen")]
    allow_remote: bool,
    /// Serve HTTPS with this certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Where to listen")]
    tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Where to listen")]
    tls_key: Option<PathBuf>,

    /// Access key that Volcengine requests are signed with [default: AKLTdemo]
    #[arg(long, value_name = "ID", help_heading = "Volcengine account")]
    access_key: Option<String>,
    /// Secret key of --access-key [default: demo-secret-key==]
    #[arg(long, value_name = "SECRET", help_heading = "Volcengine account")]
    secret_key: Option<String>,
    /// STS session token accepted with these keys; requests without a token are also accepted [default: demo-session-token]
    #[arg(long, value_name = "TOKEN", help_heading = "Volcengine account")]
    session_token: Option<String>,
    /// Region that signatures must name; "any" accepts every region [default: cn-north-1]
    #[arg(long, value_name = "REGION", value_parser = parse_region, help_heading = "Volcengine account")]
    region: Option<Region>,
    /// AppId of RTC [default: 661e000000000000000demo1]
    #[arg(long, value_name = "ID", help_heading = "Volcengine account")]
    rtc_app_id: Option<String>,
    /// AppId of IM, a number [default: 666675]
    #[arg(long, value_name = "N", help_heading = "Volcengine account")]
    im_app_id: Option<i64>,

    /// AppId of ZEGO [default: 1234567890]
    #[arg(long, value_name = "N", help_heading = "ZEGO account")]
    zego_app_id: Option<u32>,
    /// ServerSecret of --zego-app-id [default: 0123456789abcdef0123456789abcdef]
    #[arg(long, value_name = "SECRET", help_heading = "ZEGO account")]
    zego_server_secret: Option<String>,

    /// Enforce no limits of requests per second
    #[arg(long, help_heading = "Strictness")]
    no_quota: bool,
    /// Accept a ZEGO SignatureNonce more than once
    #[arg(long, help_heading = "Strictness")]
    allow_nonce_reuse: bool,
    /// What Volcengine's size limit counts for a binary message; the vendor does not document it
    #[arg(long, value_name = "WHAT", default_value = "decoded", help_heading = "Strictness")]
    binary_limit_counts: Counts,

    /// Scripted faults from the start: a JSON list of rules, see the README
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Do not log requests to standard error
    #[arg(long)]
    quiet: bool,
}

const AFTER_HELP: &str = "\
Try it:
  rtcmsg-emulator --port 8089 &
  curl -d '{\"room_id\":\"room\",\"user_id\":\"alice\"}' http://127.0.0.1:8089/_emulator/volcengine/join
  (send to alice with any client of the vendor)
  curl 'http://127.0.0.1:8089/_emulator/inbox?vendor=volcengine&user=alice'

SIGTERM and SIGINT stop it, after the requests in flight.";

/// The value of `--region`.
#[derive(Clone)]
enum Region {
    Any,
    Named(String),
}

#[derive(Clone, Copy, ValueEnum)]
enum Counts {
    Base64,
    Decoded,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "rtcmsg-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // The handlers are installed before the URL is printed: a caller that has read it can stop the program by a signal.
        let stopped = stop_signal()?;
        let options = options(arguments)?;
        let emulator = Emulator::start(options.clone())?;
        // An error means that the reader closed our standard output. The emulator serves anyway.
        let _ = announce(&mut io::stdout().lock(), emulator.url(), &options);
        stopped.await;
        emulator.stop();
        Ok(())
    })
}

#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

fn options(arguments: Arguments) -> Result<Options, String> {
    let demo = Options::default();
    Ok(Options {
        host: arguments.host,
        port: arguments.port,
        allow_remote: arguments.allow_remote,
        tls: arguments
            .tls_cert
            .zip(arguments.tls_key)
            .map(|(certificate, key)| TlsFiles { certificate, key }),
        volcengine: VolcengineAccount {
            access_key: arguments.access_key.unwrap_or(demo.volcengine.access_key),
            secret_key: arguments.secret_key.map_or(demo.volcengine.secret_key, Secret::from),
            session_token: arguments
                .session_token
                .map_or(demo.volcengine.session_token, Secret::from),
            region: match arguments.region {
                None => demo.volcengine.region,
                Some(Region::Any) => None,
                Some(Region::Named(region)) => Some(region),
            },
            rtc_app_id: arguments.rtc_app_id.unwrap_or(demo.volcengine.rtc_app_id),
            im_app_id: arguments.im_app_id.unwrap_or(demo.volcengine.im_app_id),
        },
        zego: ZegoAccount {
            app_id: arguments.zego_app_id.unwrap_or(demo.zego.app_id),
            server_secret: arguments
                .zego_server_secret
                .map_or(demo.zego.server_secret, Secret::from),
        },
        quota: !arguments.no_quota,
        allow_nonce_reuse: arguments.allow_nonce_reuse,
        binary_limit_counts: match arguments.binary_limit_counts {
            Counts::Base64 => BinaryLimitCounts::Base64,
            Counts::Decoded => BinaryLimitCounts::Decoded,
        },
        faults: arguments.faults.as_deref().map_or(Ok(Vec::new()), read_faults)?,
        request_log: !arguments.quiet,
        clock: demo.clock,
        steady_clock: demo.steady_clock,
    })
}

fn read_faults(file: &Path) -> Result<Vec<FaultRule>, String> {
    let unusable = |fault: &dyn Display| format!("cannot use {}: {fault}", file.display());
    let text = std::fs::read_to_string(file).map_err(|fault| unusable(&fault))?;
    // Some editors put a byte order mark before the text.
    let rules = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    FaultRule::list(rules).map_err(|fault| unusable(&fault))
}

fn parse_host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse()
        .map_err(|_| "must be an IP address or localhost".to_owned())
}

fn parse_region(text: &str) -> Result<Region, String> {
    match text {
        "any" => Ok(Region::Any),
        // A region with one of these characters would end early in the scope of a signature, or could not be in a header.
        _ if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() && !b"/,".contains(&b)) => {
            Err("must be a region such as cn-north-1, or any".to_owned())
        }
        _ => Ok(Region::Named(text.to_owned())),
    }
}

/// Prints the URL in a first line for programs, and the settings as a block that a shell can evaluate.
fn announce(out: &mut impl Write, url: &str, options: &Options) -> io::Result<()> {
    writeln!(out, "rtcmsg-emulator listening on {url}")?;
    let volcengine = &options.volcengine;
    export(out, "VOLCENGINE_ENDPOINT", url)?;
    export(out, "VOLCENGINE_ACCESS_KEY", &volcengine.access_key)?;
    export_secret(
        out,
        "VOLCENGINE_SECRET_KEY",
        &volcengine.secret_key,
        "demo-secret-key==",
    )?;
    if let Some(region) = &volcengine.region {
        export(out, "VOLCENGINE_REGION", region)?;
    }
    export(out, "VOLCENGINE_RTC_APP_ID", &volcengine.rtc_app_id)?;
    export(out, "VOLCENGINE_IM_APP_ID", &volcengine.im_app_id.to_string())?;
    export(out, "ZEGO_ENDPOINT", url)?;
    export(out, "ZEGO_APP_ID", &options.zego.app_id.to_string())?;
    export_secret(
        out,
        "ZEGO_SERVER_SECRET",
        &options.zego.server_secret,
        "0123456789abcdef0123456789abcdef",
    )?;
    out.flush()
}

fn export(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if value.bytes().all(plain) && !value.is_empty() {
        return writeln!(out, "export RTCMSG_{name}={value}");
    }
    writeln!(out, "export RTCMSG_{name}='{}'", value.replace('\'', r"'\''"))
}

/// A secret that the user has set is not printed. Its line is a comment, so that a shell does not use the placeholder as the value.
fn export_secret(out: &mut impl Write, name: &str, secret: &Secret, demo: &str) -> io::Result<()> {
    if *secret == Secret::from(demo) {
        return export(out, name, demo);
    }
    writeln!(out, "# export RTCMSG_{name}=<as given>")
}
