//! A back end that policies ask over HTTP: it answers what a test says, when the test says.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::eventually;

/// A server on a free port; each request has a connection of its own. It is gone with the test's process.
#[derive(Clone)]
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request that has come.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, (u16, Vec<u8>)>,
    held: HashSet<String>,
    asked: Vec<Asked>,
    given_up: usize,
}

impl Backend {
    /// Answers 404 to everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let served = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = served.clone();
                // A client that breaks off is one of the things to be shown.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { address, shared }
    }

    /// Without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What requests for a path, without its query, are answered from now on.
    pub fn answer(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        let answer = (status, body.into());
        self.state().answers.insert(path.to_owned(), answer);
    }

    /// Requests for a path wait from now on, until they are released.
    pub fn hold(&self, path: &str) {
        self.state().held.insert(path.to_owned());
    }

    pub fn release(&self, path: &str) {
        self.state().held.remove(path);
        self.shared.changed.notify_all();
    }

    /// The requests so far, in the order in which they came.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// Waits until so many requests have come.
    ///
    /// # Panics
    ///
    /// When they do not come.
    pub fn wait_asked(&self, count: usize) {
        eventually("requests to the back end", || {
            (self.asked().len() >= count).then_some(())
        });
    }

    /// Waits until so many clients have gone away without their answer.
    ///
    /// # Panics
    ///
    /// When they stay.
    pub fn wait_given_up(&self, count: usize) {
        eventually("requests that are given up", || {
            (self.state().given_up >= count).then_some(())
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let asked = read(&stream)?;
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        let mut state = self.state();
        state.asked.push(asked);
        stream.set_nonblocking(true)?;
        while state.held.contains(&path) {
            if matches!(stream.peek(&mut [0]), Ok(0)) {
                state.given_up += 1;
                return Ok(());
            }
            // Often enough to see a client go.
            let wait = self.changed.wait_timeout(state, Duration::from_millis(10));
            state = wait.expect("nobody panics with the lock").0;
        }
        let missing = (404, b"nothing here".to_vec());
        let (status, body) = state.answers.get(&path).cloned().unwrap_or(missing);
        drop(state);
        stream.set_nonblocking(false)?;
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
        stream.write_all(&body)
    }
}

fn read(stream: &TcpStream) -> io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next(), words.next());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Asked {
        method: method.unwrap_or_default(),
        path: path.unwrap_or_default(),
        headers,
        body,
    })
}
