//! docs/METRICS.md names exactly the figures of a snapshot, and the exporter gives exactly the metrics that it lists.

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use common::{COMMAND, UNICAST, config, emulator};
use rtcmsg::{Dispatcher, SubmitOptions};
use serde_json::Value;

const PAGE: &str = include_str!("../docs/METRICS.md");

/// A snapshot of a client with a quota for every vendor, so that no figure is null.
fn snapshot() -> String {
    let emulator = emulator();
    let mut config = config(emulator.url());
    config.set("quota.mode", "wait").unwrap();
    let queue = Dispatcher::new(&config).unwrap();
    for message in [UNICAST, COMMAND] {
        queue.submit(&message, &SubmitOptions::default()).unwrap();
    }
    queue.flush(None).unwrap();
    queue.stats().unwrap()
}

/// Collects the paths of all values that are not objects.
fn leaves(value: &Value, way: &str, found: &mut BTreeSet<String>) {
    let Some(members) = value.as_object() else {
        assert!(value.is_u64(), "{way} is {value}");
        found.insert(way.to_owned());
        return;
    };
    for (name, member) in members {
        let dot = if way.is_empty() { "" } else { "." };
        leaves(member, &format!("{way}{dot}{name}"), found);
    }
}

/// The names in backticks in the first column of the tables between two headings, each with its second column.
fn named(from: &str, to: Option<&str>) -> Vec<(String, String)> {
    let section = PAGE.split_once(from).expect(from).1;
    let section = to.map_or(section, |to| section.split_once(to).expect(to).0);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let names = cells[0].split(" with label").next().unwrap_or_default();
        let names = names.split(", ").map(|name| name.trim_matches('`').to_owned());
        names.map(|name| (name, cells[1].to_owned())).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn the_page_names_exactly_the_figures_and_each_once() {
    let mut figures = BTreeSet::new();
    leaves(&serde_json::from_str(&snapshot()).unwrap(), "", &mut figures);
    let named = named("\n## Figures\n", Some("\n## What to watch\n"));
    let once: BTreeSet<String> = named.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(once.len(), named.len(), "each once");
    let difference: Vec<_> = once.symmetric_difference(&figures).collect();
    assert!(
        difference.is_empty(),
        "on the page or in the snapshot alone: {difference:?}"
    );
    for (name, kind) in named {
        assert!(kind == "counter" || kind == "gauge", "{name}: {kind}");
    }
}

#[test]
fn the_exporter_gives_the_metrics_that_the_page_lists() {
    let code = PAGE.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    let program = format!("{code}\nimport json, sys\nprint(exposition(json.load(sys.stdin), 'lobby'), end='')\n");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Command::new(python)
        .args(["-c", &program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    child.stdin.take().unwrap().write_all(snapshot().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let types: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let mut listed = named("\n| metric | type | from |\n", None);
    let mut made = types;
    listed.sort();
    made.sort();
    assert_eq!(made, listed);
    assert!(
        text.contains("rtcmsg_queue_submitted_total{client=\"lobby\"} 2\n"),
        "{text}"
    );
    assert!(
        text.contains("rtcmsg_messages_total{client=\"lobby\",code=\"ok\"} "),
        "{text}"
    );
}
