use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const TTL: Duration = Duration::from_secs(60);

fn vendor() -> Uri {
    Uri::from_static("https://vendor.test/?Action=x")
}

/// A resolver whose lookups and clock are controlled by the test.
struct Fixture {
    resolver: CachedResolver,
    lookups: Arc<AtomicUsize>,
    asked: mpsc::Receiver<String>,
    answer: mpsc::Sender<io::Result<Vec<SocketAddr>>>,
    clock: Arc<Mutex<Instant>>,
}

fn fixture() -> Fixture {
    let (ask, asked) = mpsc::channel();
    let (answer, answers) = mpsc::channel::<io::Result<Vec<SocketAddr>>>();
    let (ask, answers) = (Mutex::new(ask), Mutex::new(answers));
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = lookups.clone();
    let lookup = move |host: &str, _: u16| {
        counted.fetch_add(1, Ordering::SeqCst);
        ask.lock().unwrap().send(host.to_owned()).unwrap();
        answers.lock().unwrap().recv().unwrap()
    };
    let clock = Arc::new(Mutex::new(Instant::now()));
    let now = clock.clone();
    let resolver = CachedResolver::with(
        Arc::default(),
        TTL,
        Logger::default(),
        Arc::default(),
        Box::new(lookup),
        Box::new(move || *now.lock().unwrap()),
    );
    Fixture {
        resolver,
        lookups,
        asked,
        answer,
        clock,
    }
}

impl Fixture {
    fn get(&self) -> Result<Vec<SocketAddr>, Error> {
        self.resolver.addresses(&vendor(), Some(Duration::from_secs(60)))
    }

    fn answer_with(&self, address: &str) {
        self.answer.send(Ok(vec![address.parse().unwrap()])).unwrap();
    }

    fn pass(&self, time: Duration) {
        *self.clock.lock().unwrap() += time;
    }

    /// Waits until the results of the lookups counted here are in the cache.
    fn wait_for_lookups(&self, count: u64) {
        let entries = self.resolver.0.entries();
        let pending = |entries: &mut HashMap<(String, u16), Entry>| entries.values().all(|entry| entry.lookups < count);
        drop(self.resolver.0.lookup_done.wait_while(entries, pending).unwrap());
    }
}

fn only(address: &str) -> Vec<SocketAddr> {
    vec![address.parse().unwrap()]
}

#[test]
fn an_ip_address_needs_no_lookup() {
    let fixture = fixture();
    let resolver = &fixture.resolver;
    for (uri, address) in [("http://127.0.0.1/", "127.0.0.1:80"), ("http://[::1]:81/", "[::1]:81")] {
        let addresses = resolver.addresses(&uri.parse().unwrap(), None).unwrap();
        assert_eq!(addresses, only(address));
    }
    assert_eq!(fixture.lookups.load(Ordering::SeqCst), 0);
}

#[test]
fn many_who_ask_at_once_share_one_lookup() {
    let fixture = fixture();
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| fixture.resolver.addresses(&vendor(), None)))
            .collect();
        fixture.asked.recv().unwrap();
        fixture.answer_with("192.0.2.1:443");
        for asker in askers {
            assert_eq!(asker.join().unwrap().unwrap(), only("192.0.2.1:443"));
        }
    });
    assert_eq!(fixture.lookups.load(Ordering::SeqCst), 1);
}

#[test]
fn old_addresses_serve_while_they_are_looked_up_again() {
    let fixture = fixture();
    fixture.answer_with("192.0.2.1:443");
    fixture.get().unwrap();
    fixture.pass(TTL);
    assert_eq!(fixture.get().unwrap(), only("192.0.2.1:443"));
    assert_eq!(fixture.get().unwrap(), only("192.0.2.1:443"));
    fixture.answer_with("192.0.2.2:443");
    fixture.wait_for_lookups(2);
    assert_eq!(fixture.get().unwrap(), only("192.0.2.2:443"));
    assert_eq!(fixture.lookups.load(Ordering::SeqCst), 2);
}

#[test]
fn old_addresses_serve_on_when_the_lookup_fails() {
    let fixture = fixture();
    fixture.answer_with("192.0.2.1:443");
    fixture.get().unwrap();
    fixture.pass(TTL);
    fixture.answer.send(Err(io::Error::other("server failure"))).unwrap();
    fixture.get().unwrap();
    fixture.wait_for_lookups(2);
    assert_eq!(fixture.get().unwrap(), only("192.0.2.1:443"));
}

#[test]
fn a_failed_lookup_is_told_to_who_waits_and_the_next_one_tries_again() {
    let fixture = fixture();
    fixture.answer.send(Err(io::Error::other("no such host"))).unwrap();
    let error = fixture.get().unwrap_err();
    assert!(error.to_string().contains("vendor.test: no such host"), "{error}");
    fixture.answer_with("192.0.2.1:443");
    assert_eq!(fixture.get().unwrap(), only("192.0.2.1:443"));
}

#[test]
#[cfg(unix)]
fn a_lookup_that_lacks_descriptors_is_no_fault_of_the_name() {
    let code_after = |failure: io::Error| {
        let fixture = fixture();
        fixture.answer.send(Err(failure)).unwrap();
        match fixture.get().unwrap_err() {
            Error::Other(error) => error.downcast_ref::<ResolveError>().unwrap().code,
            other => panic!("{other}"),
        }
    };
    for number in [libc::EMFILE, libc::ENFILE, libc::ENOMEM] {
        assert_eq!(code_after(io::Error::from_raw_os_error(number)), Code::NoResources);
    }
    assert_eq!(code_after(io::Error::other("no such host")), Code::Resolve);
}

#[test]
fn nobody_waits_for_a_lookup_past_the_deadline() {
    let fixture = fixture();
    let waited = fixture.resolver.addresses(&vendor(), Some(Duration::ZERO));
    assert!(
        matches!(waited, Err(Error::Timeout(ureq::Timeout::Resolve))),
        "{waited:?}"
    );
    fixture.answer_with("192.0.2.1:443");
    fixture.wait_for_lookups(1);
    assert_eq!(fixture.get().unwrap(), only("192.0.2.1:443"));
    assert_eq!(fixture.lookups.load(Ordering::SeqCst), 1);
}

#[test]
fn addresses_are_dropped_after_a_failed_connect() {
    let fixture = fixture();
    fixture.answer_with("192.0.2.1:443");
    fixture.get().unwrap();
    fixture.resolver.forget(&vendor());
    fixture.answer_with("192.0.2.2:443");
    assert_eq!(fixture.get().unwrap(), only("192.0.2.2:443"));
}

fn all(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

#[test]
fn families_are_tried_in_turn() {
    for (found, order) in [
        (&[][..], &[][..]),
        (&["192.0.2.1:1"], &["192.0.2.1:1"]),
        (
            &["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "192.0.2.1:1"],
            &["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "[2001:db8::3]:1"],
        ),
        (
            &["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"],
            &["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"],
        ),
        (
            &["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1"],
            &["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1", "[2001:db8::2]:1"],
        ),
    ] {
        assert_eq!(alternating(&all(found)), all(order), "{found:?}");
    }
}

#[test]
fn an_address_that_failed_goes_last_for_ten_minutes_across_lookups() {
    let fixture = fixture();
    let found = all(&[
        "[2001:db8::1]:443",
        "[2001:db8::2]:443",
        "192.0.2.1:443",
        "192.0.2.2:443",
    ]);
    let answer = || fixture.answer.send(Ok(found.clone())).unwrap();
    let order = |indexes: [usize; 4]| indexes.map(|index| found[index]).to_vec();
    answer();
    assert_eq!(fixture.get().unwrap(), order([0, 2, 1, 3]));

    fixture.resolver.record_race(&vendor(), &[found[0]], Some(found[2]));
    assert_eq!(fixture.get().unwrap(), order([1, 2, 3, 0]));
    fixture.pass(Duration::from_secs(1));
    fixture.resolver.record_race(&vendor(), &[found[1]], Some(found[2]));
    assert_eq!(fixture.get().unwrap(), order([2, 3, 0, 1]), "the longest ago first");

    fixture.resolver.forget(&vendor());
    answer();
    assert_eq!(fixture.get().unwrap(), order([2, 3, 0, 1]), "after another lookup");

    fixture.resolver.record_race(&vendor(), &[], Some(found[1]));
    assert_eq!(fixture.get().unwrap(), order([1, 2, 3, 0]), "it answered again");

    // The clock passes the time to live as well.
    answer();
    fixture.pass(DEMOTION - Duration::from_secs(2));
    assert_eq!(fixture.get().unwrap(), order([1, 2, 3, 0]));
    fixture.wait_for_lookups(3);
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.get().unwrap(), order([0, 2, 1, 3]), "after ten minutes");
}

#[test]
fn with_more_addresses_than_ureq_keeps_none_is_lost() {
    let fixture = fixture();
    let found: Vec<SocketAddr> = (1..=40)
        .map(|last| SocketAddr::from(([192, 0, 2, last], 443)))
        .collect();
    fixture.answer.send(Ok(found.clone())).unwrap();
    assert_eq!(fixture.get().unwrap(), found);
    fixture.resolver.record_race(&vendor(), &found[..39], Some(found[39]));
    assert_eq!(fixture.get().unwrap()[0], found[39]);
}

#[test]
fn behind_a_proxy_its_own_name_is_looked_up_and_forgotten() {
    let proxies = Proxies::new("http://proxy.test:3128", &[], &|_| None).unwrap();
    let (looked_up, names) = mpsc::channel();
    let lookup = move |host: &str, port: u16| {
        looked_up.send((host.to_owned(), port)).unwrap();
        Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))])
    };
    let resolver = CachedResolver::with(
        Arc::new(proxies),
        TTL,
        Logger::default(),
        Arc::default(),
        Box::new(lookup),
        Box::new(Instant::now),
    );
    for _ in 0..2 {
        let addresses = resolver.addresses(&vendor(), Some(Duration::from_secs(60))).unwrap();
        assert_eq!(addresses, only("192.0.2.1:3128"));
        resolver.forget(&vendor());
    }
    let names: Vec<_> = names.try_iter().collect();
    assert_eq!(names, vec![("proxy.test".to_owned(), 3128); 2]);
}
