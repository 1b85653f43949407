use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const TTL: Duration = Duration::from_secs(60);

/// A resolver whose lookups are answered by the test, and whose clock is the test's.
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
        self.resolver
            .addresses("vendor.test", 443, Some(Duration::from_secs(60)))
    }

    fn answer_with(&self, address: &str) {
        self.answer.send(Ok(vec![address.parse().unwrap()])).unwrap();
    }

    fn pass(&self, time: Duration) {
        *self.clock.lock().unwrap() += time;
    }

    /// Until the lookups counted here have left their mark in the cache.
    fn wait_for_lookups(&self, count: u64) {
        let entries = self.resolver.0.entries();
        let pending = |entries: &mut HashMap<(String, u16), Entry>| entries.values().all(|entry| entry.lookups < count);
        drop(self.resolver.0.settled.wait_while(entries, pending).unwrap());
    }
}

fn only(address: &str) -> Vec<SocketAddr> {
    vec![address.parse().unwrap()]
}

#[test]
fn an_ip_address_needs_no_lookup() {
    let fixture = fixture();
    let resolver = &fixture.resolver;
    assert_eq!(resolver.addresses("127.0.0.1", 80, None).unwrap(), only("127.0.0.1:80"));
    assert_eq!(resolver.addresses("[::1]", 80, None).unwrap(), only("[::1]:80"));
    assert_eq!(fixture.lookups.load(Ordering::SeqCst), 0);
}

#[test]
fn many_who_ask_at_once_share_one_lookup() {
    let fixture = fixture();
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| fixture.resolver.addresses("vendor.test", 443, None)))
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
            Error::Other(error) => error.downcast_ref::<Unresolved>().unwrap().code,
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
    let waited = fixture.resolver.addresses("vendor.test", 443, Some(Duration::ZERO));
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
    fixture
        .resolver
        .forget(&"https://vendor.test/?Action=x".parse().unwrap());
    fixture.answer_with("192.0.2.2:443");
    assert_eq!(fixture.get().unwrap(), only("192.0.2.2:443"));
}
