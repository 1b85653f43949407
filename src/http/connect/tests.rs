use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::mpsc;
use std::sync::{Mutex, Weak};
use std::thread;

use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Instant as Moment;

use super::*;
use crate::log::Logger;

/// The outcome of a connect, and the time after which it occurs.
#[derive(Clone, Copy)]
enum Becomes {
    Connected(u64),
    Failed(u64),
    /// Its call of `connect` fails.
    Unreachable,
    /// No socket can be made.
    NoSocket,
    Unanswered,
}

use Becomes::{Connected, Failed, NoSocket, Unanswered, Unreachable};

/// A network without sockets. The test controls its clock. A socket is the number of milliseconds since the start of the
/// race at which its connect ends, and how.
struct Simulated {
    start: Instant,
    now: Cell<u64>,
    hosts: HashMap<SocketAddr, Becomes>,
    /// The connects that were begun, with their times.
    begun: RefCell<Vec<(u64, usize)>>,
}

fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1 + index as u16))
}

impl Network for Simulated {
    type Socket = Option<(u64, bool)>;

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.now.get())
    }

    fn begin(&self, address: SocketAddr) -> Result<Self::Socket, BeginError> {
        let now = self.now.get();
        self.begun.borrow_mut().push((now, usize::from(address.port()) - 1));
        match self.hosts[&address] {
            Connected(after) => Ok(Some((now + after, true))),
            Failed(after) => Ok(Some((now + after, false))),
            Unreachable => Err(BeginError::Address(io::ErrorKind::NetworkUnreachable.into())),
            NoSocket => Err(BeginError::All(Error::ConnectionFailed)),
            Unanswered => Ok(None),
        }
    }

    fn wait(
        &self,
        begun: &[(SocketAddr, Self::Socket)],
        at_most: Option<Duration>,
    ) -> io::Result<Option<EndedConnect>> {
        let until = at_most.map(|time| self.now.get() + time.as_micros().div_ceil(1000) as u64);
        let ends = begun.iter().enumerate().filter_map(|(index, (_, socket))| {
            let (at, is_connected) = (*socket)?;
            Some((at, index, is_connected))
        });
        match ends.min() {
            Some((at, index, is_connected)) if until.is_none_or(|until| at <= until) => {
                self.now.set(at.max(self.now.get()));
                let outcome = is_connected
                    .then_some(())
                    .ok_or(io::ErrorKind::ConnectionRefused.into());
                Ok(Some((index, outcome)))
            }
            _ => {
                self.now.set(until.expect("something ends the wait"));
                Ok(None)
            }
        }
    }
}

/// The result of a race: the winner, the time of its end, the connects with the times of their beginnings, and the failures.
struct Story {
    winner: Result<usize, &'static str>,
    ended_at: u64,
    begun: Vec<(u64, usize)>,
    failed: Vec<usize>,
}

fn story(hosts: &[Becomes], by: Option<u64>) -> Story {
    let addresses: Vec<SocketAddr> = (0..hosts.len()).map(address).collect();
    let network = Simulated {
        start: Instant::now(),
        now: Cell::new(0),
        hosts: addresses.iter().copied().zip(hosts.iter().copied()).collect(),
        begun: RefCell::default(),
    };
    let by = by.map(|by| network.start + Duration::from_millis(by));
    let result = race(&network, &addresses, by);
    let index = |address: &SocketAddr| usize::from(address.port()) - 1;
    Story {
        winner: match &result.outcome {
            Ok((address, _)) => Ok(index(address)),
            Err(RaceError::TimedOut) => Err("timed out"),
            Err(RaceError::Failed(Error::Io(_))) => Err("failed"),
            Err(RaceError::Failed(_)) => Err("stopped"),
        },
        ended_at: network.now.get(),
        begun: network.begun.into_inner(),
        failed: result.failed.iter().map(index).collect(),
    }
}

#[test]
fn connects_are_begun_250_ms_apart_until_one_answers() {
    let story = story(&[Unanswered, Unanswered, Connected(20), Connected(20)], Some(3000));
    assert_eq!(story.winner, Ok(2));
    assert_eq!(story.begun, [(0, 0), (250, 1), (500, 2)]);
    assert_eq!(story.ended_at, 520);
    assert_eq!(story.failed, [0, 1], "a later one won");
}

#[test]
fn an_address_that_answers_at_once_is_the_only_one() {
    let story = story(&[Connected(20), Connected(1)], Some(3000));
    assert_eq!((story.winner, story.begun), (Ok(0), vec![(0, 0)]));
    assert!(story.failed.is_empty());
}

#[test]
fn a_slow_address_wins_over_later_ones_which_are_not_blamed_for_it() {
    let story = story(&[Connected(300), Connected(500), Connected(1)], Some(3000));
    assert_eq!((story.winner, story.ended_at), (Ok(0), 300));
    assert_eq!(story.begun, [(0, 0), (250, 1)]);
    assert!(story.failed.is_empty());
}

#[test]
fn after_a_failure_the_next_connect_begins_at_once() {
    let story = story(&[Failed(10), Unreachable, Failed(30), Connected(5)], Some(3000));
    assert_eq!(story.begun, [(0, 0), (10, 1), (10, 2), (40, 3)]);
    assert_eq!((story.winner, story.ended_at), (Ok(3), 45));
    assert_eq!(story.failed, [0, 1, 2]);
}

#[test]
fn a_failure_of_one_does_not_end_the_connect_of_another() {
    let story = story(&[Connected(400), Failed(10)], Some(3000));
    assert_eq!((story.winner, story.ended_at), (Ok(0), 400));
    assert_eq!(story.failed, [1]);
}

#[test]
fn when_all_failed_the_race_is_over_before_its_time() {
    let story = story(&[Failed(10), Unreachable], Some(3000));
    assert_eq!((story.winner, story.ended_at), (Err("failed"), 10));
    assert_eq!(story.failed, [0, 1]);
}

#[test]
fn without_an_answer_the_race_ends_at_its_time() {
    let story = story(&[Unanswered, Failed(1), Unanswered], Some(3000));
    assert_eq!((story.winner, story.ended_at), (Err("timed out"), 3000));
    assert_eq!(story.failed, [1, 0, 2]);
}

#[test]
fn sixteen_dead_addresses_do_not_hide_a_live_one() {
    let mut hosts = vec![Unanswered; 16];
    hosts.push(Connected(200));
    let story = story(&hosts, Some(3000));
    assert_eq!(story.winner, Ok(16));
    assert_eq!(story.failed, (0..16).collect::<Vec<_>>());
    assert!(
        story.ended_at <= 1700,
        "the last one is begun before half of the time is over"
    );
}

#[test]
fn in_little_time_every_address_is_begun() {
    let story = story(&[Unanswered, Connected(10)], Some(100));
    assert_eq!((story.winner, story.begun), (Ok(1), vec![(0, 0), (25, 1)]));
    let no_time = super::stagger(Some(Duration::ZERO), 2);
    assert_eq!(no_time, Duration::ZERO);
}

#[test]
fn without_a_deadline_the_race_goes_on_until_it_is_decided() {
    let story = story(&[Connected(100_000), Unanswered, Failed(200_000)], None);
    assert_eq!((story.winner, story.ended_at), (Ok(0), 100_000));
}

#[test]
fn where_no_socket_can_be_made_what_was_begun_goes_on_and_no_address_is_blamed() {
    let first = story(&[Connected(400), NoSocket, Connected(1)], Some(3000));
    assert_eq!((first.winner, first.begun), (Ok(0), vec![(0, 0), (250, 1)]));
    assert!(first.failed.is_empty());
    let none = story(&[NoSocket, Connected(1)], Some(3000));
    assert_eq!(
        (none.winner, none.begun, none.failed.len()),
        (Err("stopped"), vec![(0, 0)], 0)
    );
}

#[test]
fn a_race_of_nobody_fails() {
    assert_eq!(story(&[], Some(3000)).winner, Err("stopped"));
}

/// A listener whose queue of connections is full, so that it does not answer a SYN until it accepts some of them.
struct BlackHole {
    listener: TcpListener,
    in_queue: Vec<Socket>,
}

impl BlackHole {
    fn new(address: &str) -> BlackHole {
        let address: SocketAddr = address.parse().unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let mut in_queue = Vec::new();
        loop {
            let (socket, _) = begin_connect(address).unwrap();
            let stream = TcpStream::from(socket);
            let ended = os::wait_for_connect(&[&stream], Some(Duration::from_millis(100))).unwrap();
            in_queue.push(stream.into());
            if ended.is_none() {
                break;
            }
        }
        BlackHole { listener, in_queue }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Accepts the connections that filled the queue. From now on the listener answers.
    fn open(self) -> TcpListener {
        drop(self.in_queue);
        self.listener.set_nonblocking(true).unwrap();
        while self.listener.accept().is_ok() {}
        self.listener.set_nonblocking(false).unwrap();
        self.listener
    }
}

/// A connector for a name that has these addresses. The test controls the clock of its resolver.
struct Fixture {
    connect: Connect,
    clock: Arc<Mutex<Instant>>,
    handles: Arc<Mutex<Vec<Weak<dyn ShutdownHandle>>>>,
    registered: mpsc::Sender<()>,
}

fn fixture(addresses: Vec<SocketAddr>) -> (Fixture, mpsc::Receiver<()>) {
    let clock = Arc::new(Mutex::new(Instant::now()));
    let now = clock.clone();
    let resolver = CachedResolver::with(
        Arc::default(),
        Duration::from_secs(3600),
        Logger::default(),
        Arc::default(),
        Box::new(move |_, _| Ok(addresses.clone())),
        Box::new(move || *now.lock().unwrap()),
    );
    let connect = Connect {
        resolver,
        proxies: Arc::default(),
    };
    let (registered, registrations) = mpsc::channel();
    let fixture = Fixture {
        connect,
        clock,
        handles: Arc::default(),
        registered,
    };
    (fixture, registrations)
}

impl Fixture {
    fn connect(&self) -> Result<Option<Connection>, Error> {
        let (handles, registered) = (self.handles.clone(), self.registered.clone());
        let config = ureq::Agent::config_builder().proxy(None).build();
        let resolver = &self.connect.resolver;
        let details = ConnectionDetails {
            uri: &"http://vendor.test/".parse().unwrap(),
            addrs: resolver.empty(),
            config: &config,
            request_level: false,
            resolver,
            now: Moment::now(),
            timeout: NextTimeout::default(),
            current_time: Arc::new(Moment::now),
            run_connector: Arc::new(|_| Err(Error::ConnectionFailed)),
            register_shutdown: Arc::new(move |handle| {
                handles.lock().unwrap().push(handle);
                registered.send(()).unwrap();
                Ok(())
            }),
        };
        Connector::<()>::connect(&self.connect, &details, None)
    }
}

#[test]
fn a_black_hole_is_passed_and_goes_last_for_ten_minutes() {
    let black_hole = BlackHole::new("127.0.0.2:0");
    let live = TcpListener::bind("127.0.0.1:0").unwrap();
    let (fixture, registrations) = fixture(vec![black_hole.address(), live.local_addr().unwrap()]);
    let sockets = || registrations.try_iter().count();

    fixture.connect().unwrap().unwrap();
    live.accept().unwrap();
    assert_eq!(sockets(), 2);

    // The listener with the full queue would answer now, if there were a connect to it.
    let first = black_hole.open();
    fixture.connect().unwrap().unwrap();
    live.accept().unwrap();
    assert_eq!(sockets(), 1, "only the live one");

    *fixture.clock.lock().unwrap() += Duration::from_secs(600);
    fixture.connect().unwrap().unwrap();
    assert_eq!(sockets(), 1, "only the first one");
    drop(first);
}

#[test]
fn a_close_ends_every_socket_of_a_race() {
    let holes = [BlackHole::new("127.0.0.2:0"), BlackHole::new("127.0.0.3:0")];
    let (fixture, registrations) = fixture(holes.iter().map(BlackHole::address).collect());
    thread::scope(|scope| {
        let connecting = scope.spawn(|| fixture.connect());
        for _ in &holes {
            registrations.recv().unwrap();
        }
        for handle in fixture.handles.lock().unwrap().iter().filter_map(Weak::upgrade) {
            handle.shutdown();
        }
        // There is no deadline, so only the shutdown ends the race.
        connecting.join().unwrap().unwrap_err();
    });
}

/// A kernel without IPv6, or a service that may use only one family.
#[test]
fn a_family_without_sockets_does_not_end_the_race() {
    let refused = no_socket(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    assert!(matches!(refused, BeginError::Address(_)));
    let refused = no_socket(io::Error::from_raw_os_error(libc::EMFILE));
    assert!(matches!(refused, BeginError::All(_)));
    let story = story(&[Unreachable, Connected(1)], Some(1000));
    assert_eq!(story.winner, Ok(1));
}

#[test]
fn a_caller_in_a_hurry_blames_no_address() {
    assert!(story(&[Unanswered], Some(5)).failed.is_empty());
    assert_eq!(story(&[Unanswered], Some(1000)).failed, [0]);
}
